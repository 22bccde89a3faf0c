/** 分时: one trading day from its first minute to its last, around the settlement before. Pure. */
import type { AxisRange } from 'klinecharts'

import { tradingDays, type Bar } from '@/market/bars'

/** The bars of the newest trading day. `current` is the counter's (`YYYYMMDD`). */
export function ofNewestDay(bars: readonly Bar[], current: string): Bar[] {
  const days = tradingDays(bars, current)
  return bars.filter((_, at) => days[at] === days.at(-1))
}

const DAY = 24 * 60

/** Minutes of a day's sessions, given as pairs of ms; 0 where there is no telling (a counter that never closes). */
export function minutesOf(sessions: readonly (readonly [number, number])[]): number {
  const minutes = sessions.reduce((sum, [begin, end]) => sum + (end - begin) / 60_000, 0)
  return minutes < DAY ? minutes : 0
}

/** The scale with `centre` in its middle, as far up as down. */
export function around(centre: number, range: AxisRange): AxisRange {
  const reach = Math.max(Math.abs(range.realTo - centre), Math.abs(centre - range.realFrom), centre * 0.001)
  const [from, to] = [centre - reach, centre + reach]
  const size = to - from
  const real = { realFrom: from, realTo: to, realRange: size }
  return { ...range, from, to, range: size, ...real, displayFrom: from, displayTo: to, displayRange: size }
}

/** Of a scale's prices those that its labels can write: between 3090 and 3091 there is no label for 3090.5. */
export function written<T extends { value: number | string }>(ticks: readonly T[], decimals: number): T[] {
  return ticks.filter(({ value }) => Math.abs(Number(value) - Number(Number(value).toFixed(decimals))) < 1e-9)
}
