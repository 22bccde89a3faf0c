/** The account's history as GET /equity tells it, and its curve as a line. */

export interface Answer {
  fields: string[]
  rows: (string | number | null)[][]
}

export interface Point {
  /** ms; of a day its trading day's midnight. */
  timestamp: number
  trading_day: string
  balance: number
  margin: number
  pre_balance: number
  deposit: number
  withdraw: number
  commission: number
  /** The balance after settlement: of a day, once the counter has told it. */
  settled: number | null
}

export function pointsOf({ fields, rows }: Answer): Point[] {
  return rows.map(
    (row) =>
      ({
        settled: null,
        ...Object.fromEntries(fields.map((name, at) => [name, row[at]])),
      }) as unknown as Point,
  )
}

/** What was made on this point's trading day: what was paid in or out is no profit. */
export function profitOf({ balance, pre_balance, deposit, withdraw }: Point): number {
  return balance - pre_balance - deposit + withdraw
}

export interface Transfer {
  at: number
  /** In yuan: above 0 paid in, below paid out. */
  amount: number
}

/** Where money was paid in or out. A day's sums begin anew with it. */
export function transfersOf(points: readonly Point[]): Transfer[] {
  return points.flatMap((point, at) => {
    const before = points[at - 1]
    const sum = point.deposit - point.withdraw
    const already = before?.trading_day === point.trading_day ? before.deposit - before.withdraw : 0
    return sum === already ? [] : [{ at, amount: sum - already }]
  })
}

export interface Scale {
  low: number
  high: number
  x: (at: number) => number
  y: (value: number) => number
}

/** The points side by side, whatever time lies between two: a night has no trading to show. */
export function scaleOf(values: readonly number[], width: number, height: number): Scale {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const room = (most - least) * 0.06 || Math.max(1, Math.abs(most) * 0.001)
  const [low, high] = [least - room, most + room]
  return {
    low,
    high,
    x: (at) => (values.length > 1 ? (at / (values.length - 1)) * width : width / 2),
    y: (value) => height - ((value - low) / (high - low)) * height,
  }
}

export function pathOf(values: readonly number[], { x, y }: Scale): string {
  return values.map((value, at) => `${at ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('')
}

/** Those already there, and what is newer; a point of the same moment is the newer one's. */
export function joined(before: readonly Point[], fresh: readonly Point[]): Point[] {
  const from = fresh[0]?.timestamp ?? Infinity
  return [...before.filter(({ timestamp }) => timestamp < from), ...fresh]
}
