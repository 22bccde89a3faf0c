/** Several runs' balances by trading day on one scale: what each has earned of its own capital. Pure. */

export interface Line {
  name: string
  capital: number
  days: readonly { trading_day: string; balance: number }[]
}

export interface Curve {
  name: string
  /** By the day: which of all days, and the share earned since the start. */
  points: { at: number; value: number }[]
}

/** All trading days of any of them, in order, and each line over them; each begins at nothing, before its first. */
export function curvesOf(lines: readonly Line[]): { days: string[]; curves: Curve[] } {
  const days = [
    ...new Set(lines.flatMap(({ days: own }) => own.map(({ trading_day }) => trading_day))),
  ].sort()
  const place = new Map(days.map((day, at) => [day, at]))
  const curves = lines.map(({ name, capital, days: own }) => {
    const points = own.map(({ trading_day, balance }) => ({
      at: place.get(trading_day)! + 1,
      value: balance / capital - 1,
    }))
    const first = points[0]
    return { name, points: first ? [{ at: first.at - 1, value: 0 }, ...points] : [] }
  })
  return { days, curves }
}
