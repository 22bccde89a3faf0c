/** Bars as they go into the chart. */
import type { KLineData } from 'klinecharts'

import type { Bar } from '@/market/bars'

/** How many bars at the end are of `start` or later. */
export function since(bars: readonly Bar[], start: number): number {
  let count = 0
  while (count < bars.length && bars[bars.length - 1 - count]!.start >= start) count += 1
  return Math.max(count, 1)
}

/** As KLineChart names it. */
export const toChart = (bar: Bar): KLineData => ({
  ...bar,
  timestamp: bar.start,
  turnover: bar.turnover ?? undefined,
})
