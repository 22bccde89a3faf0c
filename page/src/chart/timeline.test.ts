import type { AxisRange } from 'klinecharts'
import { expect, it } from 'vitest'

import type { Bar } from '@/market/bars'

import { around, minutesOf, ofNewestDay, written } from './timeline'

const at = (day: number, hour: number) => ({ start: Date.UTC(2025, 5, day, hour - 8) }) as Bar

it('has the newest day alone, its night before it', () => {
  const bars = [at(5, 14), at(5, 21), at(6, 1), at(6, 9)]
  expect(ofNewestDay(bars, '20250606')).toEqual(bars.slice(1))
})

it('counts the minutes of all sections', () => {
  const hour = 3600_000
  expect(minutesOf([[0, 2 * hour], [3 * hour, 3 * hour + hour / 4]])).toBe(135) // prettier-ignore
})

it('knows no width of a day without an end', () => expect(minutesOf([[0, 72 * 3600_000]])).toBe(0))

it('stands around the settlement, as far up as down', () => {
  const range = around(100, { realFrom: 98, realTo: 105 } as AxisRange)
  expect([range.from, range.to, range.range]).toEqual([95, 105, 10])
})

it('labels no price of a scale that its decimals cannot write', () => {
  const ticks = [3090, 3090.5, 3091, 3091.2].map((value) => ({ value }))
  expect(written(ticks, 0).map(({ value }) => value)).toEqual([3090, 3091])
  expect(written(ticks, 1)).toEqual(ticks)
})
