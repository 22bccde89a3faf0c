import { expect, it } from 'vitest'

import { joined, pathOf, pointsOf, profitOf, scaleOf, transfersOf, type Point } from './equity'

const point = (more: Partial<Point>) =>
  ({
    timestamp: 0,
    trading_day: '20250605',
    balance: 100,
    pre_balance: 100,
    deposit: 0,
    withdraw: 0,
    ...more,
  }) as Point

it('reads rows by the names of their fields, and what a minute lacks is null', () => {
  const answer = { fields: ['timestamp', 'trading_day', 'balance'], rows: [[60_000, '20250605', 1e6]] }
  expect(pointsOf(answer)).toEqual([
    { timestamp: 60_000, trading_day: '20250605', balance: 1e6, settled: null },
  ])
})

it('takes what was paid in or out for no profit', () =>
  expect(profitOf(point({ balance: 130, deposit: 50, withdraw: 10 }))).toBe(-10))

it('finds payments where the sum of the day changes, and none where a day begins', () => {
  const points = [
    point({ deposit: 50 }),
    point({ deposit: 50 }),
    point({ deposit: 50, withdraw: 20 }),
    point({ trading_day: '20250606' }),
    point({ trading_day: '20250606', deposit: 50 }),
  ]
  expect(transfersOf(points)).toEqual([
    { at: 0, amount: 50 },
    { at: 2, amount: -20 },
    { at: 4, amount: 50 },
  ])
})

it('draws from the left below to the right above', () => {
  const scale = scaleOf([100, 200], 300, 100)
  expect(pathOf([100, 200], scale)).toBe('M0.0 94.6L300.0 5.4')
})

it('draws a level line in the middle', () => {
  const scale = scaleOf([100, 100], 300, 100)
  expect([scale.y(100), scaleOf([5], 300, 100).x(0)]).toEqual([50, 150])
})

it('joins what is newer, in place of what it repeats', () => {
  const one = point({ timestamp: 1 })
  const old = point({ timestamp: 2 })
  const fresh = point({ timestamp: 2, balance: 7 })
  expect(joined([one, old], [fresh])).toEqual([one, fresh])
  expect(joined([one], [])).toEqual([one])
})
