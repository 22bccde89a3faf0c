/** REST: one call, its envelope opened. A refusal is an ApiError; silence is a NoAnswer, whose fate is open. */

export type Fields = Record<string, string | number | boolean | undefined | null>

export interface Envelope<T = unknown> {
  success: boolean
  msg: string
  data: T
  error?: string
  advice?: string
  [key: string]: unknown
}

/** The server said no, with its text, its stable code and, where there is one, its advice. */
export class ApiError extends Error {
  readonly code: string
  readonly advice: string
  constructor(
    readonly answer: Envelope,
    readonly status: number,
  ) {
    super(answer.msg || `HTTP ${status}`)
    this.name = 'ApiError'
    this.code = typeof answer.error === 'string' ? answer.error : ''
    this.advice = typeof answer.advice === 'string' ? answer.advice : ''
  }
}

/** Nobody answered: whether the server has done it is not known. */
export class NoAnswer extends Error {
  constructor(cause: unknown) {
    super('no answer', { cause })
    this.name = 'NoAnswer'
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export class Api {
  constructor(
    private readonly token: string = '',
    /** Told once a token is refused: the account has to log in again. */
    private readonly onTokenRefused: (error: ApiError) => void = () => {},
  ) {}

  async call<T = unknown>(
    method: Method,
    path: string,
    fields: Fields = {},
    seconds = 30,
  ): Promise<Envelope<T>> {
    const parameters = new URLSearchParams()
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined && value !== null) parameters.set(name, text(value))
    }
    const inQuery = method === 'GET'
    const query = inQuery && [...parameters].length ? `?${parameters}` : ''
    const headers: Record<string, string> = this.token ? { Authorization: `Bearer ${this.token}` } : {}
    const body = inQuery ? undefined : parameters
    let response: Response
    let answer: Envelope<T>
    try {
      const signal = AbortSignal.timeout(seconds * 1000)
      response = await fetch(`${path}${query}`, { method, headers, body, signal, cache: 'no-store' })
      answer = (await response.json()) as Envelope<T>
    } catch (error) {
      throw new NoAnswer(error) // a proxy's error page too: what lies behind it may have done the work
    }
    if (!answer.success) {
      const refusal = new ApiError(answer, response.status)
      if (this.token && response.status === 401) this.onTokenRefused(refusal)
      throw refusal
    }
    return answer
  }

  /** A file behind the token. Raises ApiError or NoAnswer. */
  async file(path: string, fields: Record<string, string>, seconds = 60): Promise<Blob> {
    const headers = { Authorization: `Bearer ${this.token}` }
    let response: Response
    try {
      const signal = AbortSignal.timeout(seconds * 1000)
      response = await fetch(`${path}?${new URLSearchParams(fields)}`, { headers, signal, cache: 'no-store' })
      if (response.ok) return await response.blob()
    } catch (error) {
      throw new NoAnswer(error)
    }
    const answer = (await response.json().catch((error) => {
      throw new NoAnswer(error)
    })) as Envelope
    const refusal = new ApiError(answer, response.status)
    if (response.status === 401) this.onTokenRefused(refusal)
    throw refusal
  }

  async data<T>(method: Method, path: string, fields: Fields = {}): Promise<T> {
    return (await this.call<T>(method, path, fields)).data
  }
}

function text(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? '1' : '0') : String(value)
}

/** What a person reads of any failure: the counter's or server's own words, with the advice. */
export function wordsOf(error: unknown, silence: string): string {
  if (error instanceof ApiError) return error.advice ? `${error.message}（${error.advice}）` : error.message
  if (error instanceof NoAnswer) return silence
  throw error
}
