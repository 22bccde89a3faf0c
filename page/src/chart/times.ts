/** Times on the chart, the exchange's whatever the browser's zone. Pure. */
import type { Interval } from '@/market/bars'

const options = { timeZone: 'Asia/Shanghai', hourCycle: 'h23' as const }
const clock = new Intl.DateTimeFormat('zh-CN', { ...options, hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('zh-CN', { ...options, month: '2-digit', day: '2-digit' })
const date = new Intl.DateTimeFormat('sv-SE', {
  ...options,
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
})

export const clockOf = (moment: number) => clock.format(moment)
export const dayOf = (moment: number) => day.format(moment).replace('/', '-')
export const dateOf = (moment: number) => date.format(moment)

/**
 * The text of a moment: on the axis short, under the cross whole. `tradingDay` is its trading day's midnight; it
 * is said where it is another day than the calendar's.
 */
export function timeText(
  moment: number,
  interval: Interval,
  onAxis: boolean,
  tradingDay: number | undefined,
): string {
  if (interval === '1d') return onAxis ? dayOf(moment) : dateOf(moment)
  if (onAxis)
    return interval === '1h' || interval === '30m' ? `${dayOf(moment)} ${clockOf(moment)}` : clockOf(moment)
  const plain = `${dateOf(moment)} ${clockOf(moment)}`
  const differs = tradingDay !== undefined && dateOf(tradingDay) !== dateOf(moment)
  return differs ? `${plain}（${dayOf(tradingDay)}）` : plain
}
