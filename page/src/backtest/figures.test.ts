import { expect, it } from 'vitest'

import { t } from '@/i18n'
import { backtest } from '@/i18n/late/backtest'

import { curvesOf } from './curves'
import { bestOf, duration, figureOf, looks, PARTS, shownOf, written } from './figures'
import { cellsOf, outOf } from './found'
import { OBJECTIVES } from './space'
import './words'

it('what cannot be counted is a dash, and no number that looks like one', () => {
  expect([null, undefined, Number.NaN, 'x'].map((value) => written(value, 'ratio'))).toEqual(
    Array(4).fill('—'),
  )
  expect(written(-1234.5, 'yuan')).toBe('-1,234.50')
  expect(written(0.1234, 'share')).toBe('12.34%')
  expect(written(1.23456, 'ratio')).toBe('1.235')
  expect(written(12345, 'count')).toBe('12,345')
})

it.each([
  [5, '0:05'],
  [125, '2:05'],
  [3725, '1:02:05'],
  [90_061, '1d 01:01'],
])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text))

it('all figures and objectives have words in both languages', () => {
  const keys = [...PARTS.flatMap(({ rows }) => rows.map(({ key }) => key)), ...OBJECTIVES]
  for (const key of keys) {
    expect(backtest.zh).toHaveProperty(`f_${key}`)
    expect(backtest.en).toHaveProperty(`f_${key}`)
  }
  expect(t('backtest.f_sharpe')).toBe('夏普比率')
})

it('shows those that the server counts', () =>
  expect(shownOf(PARTS[0]!.rows, { net_profit: 1, turnover: null }).map(({ key }) => key)).toEqual([
    'net_profit',
    'turnover',
  ]))

it('profit is red or green; fees and risks are not', () => {
  expect(looks(figureOf('net_profit'), -5)).toBe('down')
  expect(looks(figureOf('annual_return'), 0.1)).toBe('up')
  expect(looks(figureOf('commission'), 5)).toBe('')
  expect(looks(figureOf('sharpe'), 5)).toBe('')
})

it('the best of several is the most, or the least of what is better small', () => {
  expect(bestOf(figureOf('sharpe'), [1, null, 2])).toBe(2)
  expect(bestOf(figureOf('max_drawdown'), [100, 50])).toBe(1)
  expect(bestOf(figureOf('sharpe'), [1, 1])).toBe(-1)
  expect(bestOf(figureOf('sharpe'), [null, 1])).toBe(-1)
  expect(bestOf(figureOf('turnover'), [1, 2])).toBe(-1)
})

it('runs of other days and capitals are on one scale, each from nothing', () => {
  const day = (trading_day: string, balance: number) => ({ trading_day, balance })
  const { days, curves } = curvesOf([
    { name: 'a', capital: 100, days: [day('20240102', 110), day('20240103', 121)] },
    { name: 'b', capital: 1000, days: [day('20240103', 900)] },
    { name: 'c', capital: 1, days: [] },
  ])
  expect(days).toEqual(['20240102', '20240103'])
  expect(curves[0]!.points.map(({ at, value }) => [at, value.toFixed(2)])).toEqual([
    [0, '0.00'],
    [1, '0.10'],
    [2, '0.21'],
  ])
  expect(curves[1]!.points.map(({ at, value }) => [at, value.toFixed(2)])).toEqual([
    [1, '0.00'],
    [2, '-0.10'],
  ])
  expect(curves[2]!.points).toEqual([])
})

it('a map has its highest row on top, and its colours from its worst to its best', () => {
  const cells = cellsOf([
    [0, 1],
    [null, 2],
  ])
  expect(cells.map((row) => row.map(({ part }) => part))).toEqual([
    [undefined, 1],
    [0, 0.5],
  ])
  expect(cells.flat().filter(({ isBest }) => isBest)).toHaveLength(1)
  expect(cellsOf([[3, 3]])[0]!.map(({ part, isBest }) => [part, isBest])).toEqual([
    [0.5, false],
    [0.5, false],
  ])
  expect(cellsOf([[null]])[0]![0]!.part).toBeUndefined()
})

it('one value far from all others does not pale the map', () => {
  const row = [-1000, ...Array.from({ length: 40 }, (_, n) => n)]
  const parts = cellsOf([row])[0]!.map(({ part }) => part!)
  expect(parts[0]).toBe(0)
  expect(parts[20]).toBeGreaterThan(0.3)
  expect(parts[20]).toBeLessThan(0.7)
})

it('out of the sample there is nothing yet, a figure, or why not', () => {
  expect(outOf({ out_of_sample: null }, 'sharpe')).toBeUndefined()
  expect(outOf({ out_of_sample: { sharpe: 0.5 } }, 'sharpe')).toBe(0.5)
  expect(outOf({ out_of_sample: { sharpe: null } }, 'sharpe')).toBeNull()
  expect(outOf({ out_of_sample: { error: '除以零' } }, 'sharpe')).toBe('除以零')
})
