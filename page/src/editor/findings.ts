/** What /check_code found, put on its lines. */
import type { Diagnostic } from '@codemirror/lint'
import type { Text } from '@codemirror/state'

import type { Problem } from '@/strategies/rows'

/** pylint's errors, and those of ours that keep the code from being a strategy; the rest are warnings. */
export function isError({ code }: Pick<Problem, 'code'>): boolean {
  return /^(E|F|B900|B901)/.test(code)
}

/** Each on the text of its line. A line that the code does not have is the nearest that it has. */
export function placed(problems: readonly Problem[], doc: Text): Diagnostic[] {
  return problems.map((problem) => {
    const line = doc.line(Math.min(Math.max(1, problem.line), doc.lines))
    const indent = line.text.length - line.text.trimStart().length
    return {
      from: line.from + (indent < line.length ? indent : 0),
      to: line.to,
      severity: isError(problem) ? 'error' : 'warning',
      source: problem.code,
      message: problem.message,
    }
  })
}

/** At most one question at a time: while one is asked, only the newest of the others waits. */
export function oneAtATime<A, R>(ask: (about: A) => Promise<R>): (about: A) => Promise<R | undefined> {
  let asking: Promise<unknown> = Promise.resolve()
  let newest = 0
  return async (about) => {
    const mine = ++newest
    await asking
    if (mine !== newest) return undefined
    const answer = ask(about)
    asking = answer.catch(() => undefined)
    return answer
  }
}
