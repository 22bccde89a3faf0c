/**
 * Bars: what the server has closed, and the minute that forms now on top of it. Pure.
 *
 * `POST /bar` answers closed minutes alone, also inside a longer bar; `bar_update` tells the minute that forms,
 * whole each time. So a longer bar that forms is what the server has of it, plus that minute.
 */
import type { BarRow, BarUpdate } from '@/api/rows'

export const INTERVALS = ['1m', '3m', '5m', '15m', '30m', '1h', '1d'] as const
export type Interval = (typeof INTERVALS)[number]

export interface Bar {
  /** Its start, ms; of a day bar the trading day's midnight in Beijing. */
  start: number
  open: number
  high: number
  low: number
  close: number
  volume: number
  /** Yuan; null where a minute of it has none. */
  turnover: number | null
  openInterest: number | null
  /** `YYYYMMDD`, known of day bars and of the minute that forms. */
  tradingDay?: string
}

/** The fields that `rowsToBars` wants behind each row. */
export const FIELDS = 'turnover,open_interest'

/** The rows of `POST /bar` with `fields=FIELDS`. */
export function rowsToBars(
  rows: readonly (readonly (number | string | null)[])[],
  interval: Interval,
): Bar[] {
  return rows.map((row) => {
    const [start, open, high, low, close, volume] = row as number[]
    const [turnover, openInterest] = row.slice(interval === '1d' ? 7 : 6) as (number | null)[]
    const bar: Bar = {
      start: start!,
      open: open!,
      high: high!,
      low: low!,
      close: close!,
      volume: volume!,
      turnover: turnover ?? null,
      openInterest: openInterest ?? null,
    }
    return interval === '1d' ? { ...bar, tradingDay: String(row[6]) } : bar
  })
}

/** The minute of a `bar_update` or `bar`. */
export function minuteOf(row: BarRow, figures: Pick<BarUpdate, 'turnover' | 'open_interest'>): Bar {
  const [start, open, high, low, close, volume] = row as [number, number, number, number, number, number]
  const { turnover, open_interest } = figures
  return {
    start,
    open,
    high,
    low,
    close,
    volume,
    turnover: turnover ?? null,
    openInterest: open_interest ?? null,
  }
}

/** A minute put on top of what is there of its bar already. */
export function combine(base: Bar | undefined, minute: Bar, start: number): Bar {
  if (!base || base.start !== start) return { ...minute, start }
  return {
    ...base,
    high: Math.max(base.high, minute.high),
    low: Math.min(base.low, minute.low),
    close: minute.close,
    volume: base.volume + minute.volume,
    turnover: base.turnover === null || minute.turnover === null ? null : base.turnover + minute.turnover,
    openInterest: minute.openInterest ?? base.openInterest,
    tradingDay: minute.tradingDay ?? base.tradingDay,
  }
}

/** Both, in order, each start once; where both have one, the fresh one is it. */
export function mergeBars(old: readonly Bar[], fresh: readonly Bar[]): Bar[] {
  const byStart = new Map([...old, ...fresh].map((bar) => [bar.start, bar]))
  return [...byStart.values()].sort((one, other) => one.start - other.start)
}

export class BarSeries {
  /** Closed minutes alone, gathered to the interval, oldest first. */
  closed: Bar[] = []
  private minute: { bar: Bar; start: number } | undefined
  /** The start of the last minute that `closed` has in it. */
  private covered = 0

  constructor(readonly interval: Interval) {}

  /** Take in what the server answered; `covered` is the last minute that it had closed by then. */
  load(bars: readonly Bar[], covered = 0): void {
    this.closed = mergeBars(this.closed, bars)
    this.covered = Math.max(this.covered, covered)
    if (this.minute && this.minute.bar.start <= this.covered) this.minute = undefined
  }

  /** The minute that forms. Answers whether it changes anything. */
  form(update: BarUpdate): boolean {
    const bar = { ...minuteOf(update.data, update), tradingDay: update.trading_day }
    if (bar.start <= this.covered || (this.minute && bar.start < this.minute.bar.start)) return false
    this.minute = { bar, start: update.starts[this.interval] ?? bar.start }
    return true
  }

  /** A minute that has closed; its longer bar is known if it formed before our eyes. Answers as `form`. */
  close(row: BarRow): boolean {
    const last = this.minute
    if (!last || last.bar.start !== row[0]) return false
    const { turnover, openInterest, tradingDay } = last.bar
    const minute = { ...minuteOf(row, { turnover, open_interest: openInterest }), tradingDay }
    this.load([combine(this.at(last.start), minute, last.start)], minute.start)
    return true
  }

  /** The newest bar as it now is, the forming minute in it. */
  get newest(): Bar | undefined {
    const last = this.closed.at(-1)
    if (!this.minute) return last
    return combine(this.at(this.minute.start), this.minute.bar, this.minute.start)
  }

  /** All of them as they now are. */
  get all(): Bar[] {
    const newest = this.newest
    return newest ? mergeBars(this.closed, [newest]) : this.closed
  }

  private at(start: number): Bar | undefined {
    const last = this.closed.at(-1)
    return last?.start === start ? last : undefined
  }
}

const SHANGHAI_MS = 8 * 3600_000
const DAY_MS = 24 * 3600_000
const EVENING = 18

/**
 * The trading day of each bar, as its midnight in ms. A night's bars belong to the next day that has bars by
 * day: over a weekend that is Monday's. Those of the newest night belong to `current` (`YYYYMMDD`).
 */
export function tradingDays(bars: readonly Bar[], current: string): number[] {
  const days = new Array<number>(bars.length)
  let next = current ? midnightOf(current) : Number.NaN
  for (let at = bars.length - 1; at >= 0; at--) {
    const local = bars[at]!.start + SHANGHAI_MS
    const midnight = local - (local % DAY_MS)
    const hour = (local - midnight) / 3600_000
    if (hour < EVENING && hour >= 6) next = midnight - SHANGHAI_MS
    days[at] = Number.isNaN(next) ? midnight - SHANGHAI_MS : next
  }
  return days
}

function midnightOf(day: string): number {
  return Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6, 8))) - SHANGHAI_MS
}
