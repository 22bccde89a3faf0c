/** What a search tries: the form's texts, the request that they make (app/backtest/search/search.py), and how many trials
 * that is. Pure. */

export const KINDS = ['run', 'grid', 'random', 'walk_forward'] as const
export type Kind = (typeof KINDS)[number]

export const OBJECTIVES = [
  'sharpe',
  'sortino',
  'calmar',
  'net_profit',
  'return',
  'annual_return',
  'profit_factor',
  'win_rate',
  'expectancy',
] as const

export interface SearchForm {
  /** `run`: no search. */
  kind: Kind
  /** By parameter: `5:50:5` or `5,10,20`; one that is empty is not searched for. */
  space: Record<string, string>
  /** `fast<slow, …` */
  where: string
  trials: string
  seed: string
  objective: string
  out_of_sample: string
  train: string
  test: string
  anchored: boolean
  warm_up: string
}

export const emptySearch = (): SearchForm => ({
  kind: 'run',
  space: {},
  where: '',
  trials: '100',
  seed: '1',
  objective: 'sharpe',
  out_of_sample: '',
  train: '60',
  test: '20',
  anchored: false,
  warm_up: '0',
})

const numbers = (texts: Record<string, string>) =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, numberOr(text)]))
/** A text that is no number is sent as it is: the server says what is wrong with it. */
const numberOr = (text: string) => (text.trim() && Number.isFinite(Number(text)) ? Number(text) : text)

export function requestOf(form: SearchForm): Record<string, unknown> {
  const { kind, trials, seed, train, test, warm_up, out_of_sample: out } = form
  const space = Object.entries(form.space).filter(([, text]) => text.trim())
  return {
    kind,
    space: Object.fromEntries(space.map(([name, text]) => [name, text.trim()])),
    where: form.where.split(/[,，]/).map((one) => one.trim()).filter(Boolean), // prettier-ignore
    objective: form.objective,
    ...(kind === 'random' ? numbers({ trials, seed }) : {}),
    ...(kind === 'walk_forward' ? { ...numbers({ train, test, warm_up }), anchored: form.anchored } : {}),
    ...(kind !== 'walk_forward' && out
      ? { out_of_sample: out.replaceAll('-', ''), ...numbers({ warm_up }) }
      : {}),
  }
}

/** The form of a request that was sent. */
export function searchOf(request: Record<string, unknown> | null): SearchForm {
  const empty = emptySearch()
  if (!request) return empty
  const text = (name: keyof SearchForm) =>
    name in request ? String(request[name] ?? '') : String(empty[name])
  const out = text('out_of_sample')
  const space = Object.entries((request.space ?? {}) as Record<string, string | unknown[]>)
  return {
    kind: KINDS.find((kind) => kind === request.kind) ?? 'grid',
    space: Object.fromEntries(space.map(([name, of]) => [name, Array.isArray(of) ? of.join(',') : of])),
    where: ((request.where ?? []) as string[]).join(', '),
    trials: text('trials'),
    seed: text('seed'),
    objective: text('objective'),
    out_of_sample: out && !out.includes('-') ? `${out.slice(0, 4)}-${out.slice(4, 6)}-${out.slice(6)}` : out,
    train: text('train'),
    test: text('test'),
    anchored: request.anchored === true,
    warm_up: text('warm_up'),
  }
}

/** How many values an axis has; 0 where none is written, NaN where it cannot be told. */
export function valuesOf(text: string): number {
  const plain = text.trim()
  if (!plain) return 0
  if (!plain.includes(':')) return plain.split(',').filter((part) => part.trim()).length
  const [first, last, step = 1] = plain.split(':').map(Number)
  const count = Math.floor((last! - first!) / step + 1e-9) + 1
  return count > 0 && Number.isFinite(count) && step > 0 ? count : Number.NaN
}

/** The trials of a grid, before the conditions; NaN where that cannot be told. */
export function trialsOf(space: Record<string, string>): number {
  const counts = Object.values(space).map(valuesOf).filter((count) => count !== 0) // prettier-ignore
  return counts.length ? counts.reduce((all, count) => all * count, 1) : 0
}
