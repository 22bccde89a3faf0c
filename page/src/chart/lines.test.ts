import { expect, it } from 'vitest'

import type { OrderRow, PositionRow, TradeRow } from '@/api/rows'
import type { Bar } from '@/market/bars'

import { moment, ownFills, ownLines } from './lines'

const RB = 'rb2510.SHFE'
const order = (more: Partial<OrderRow>) =>
  ({
    local_symbol: RB,
    order_id: '1',
    direction: '多',
    offset: '开',
    price: 3000,
    volume: 5,
    traded: 2,
    status: '部分成交',
    ...more,
  }) as OrderRow
const position = (more: Partial<PositionRow>) =>
  ({
    local_symbol: RB,
    local_position_id: 'p',
    direction: 'long',
    volume: 2,
    open_price: 2990,
    float_pnl: 120,
    ...more,
  }) as PositionRow
const trade = (time: string, more: Partial<TradeRow> = {}) =>
  ({
    local_symbol: RB,
    direction: '多',
    price: 3000,
    volume: 1,
    datetime: `2025-06-05 ${time}.000`,
    trading_day: '20250605',
    ...more,
  }) as TradeRow
const bar = (time: string, tradingDay = ''): Bar => {
  const plain = { open: 1, high: 1, low: 1, close: 1, volume: 1, turnover: 1, openInterest: 1 }
  return { start: moment(`2025-06-05 ${time}.000`), ...plain, tradingDay }
}

it('draws what may still trade, with the lots that are left', () => {
  const [line] = ownLines(RB, [order({})], [], 1)
  expect(line).toMatchObject({ kind: 'order', price: 3000, long: true, text: '买开 3 @ 3000', unsure: false })
})

it('draws nothing that has ended, has no price, or is of another contract', () => {
  const gone = [order({ status: '已撤销' }), order({ price: 0 }), order({ local_symbol: 'ag2512.SHFE' })]
  expect(ownLines(RB, gone, [position({ volume: 0 })], 1)).toEqual([])
})

it('shows an order whose fate is open as such', () => {
  expect(ownLines(RB, [order({ status: '状态未知' })], [], 1)[0]!.unsure).toBe(true)
})

it('draws a position at the price that it was opened for', () => {
  expect(ownLines(RB, [], [position({})], 1)[0]).toMatchObject({
    kind: 'position',
    price: 2990,
    text: '多 2 +120',
  })
})

it('gathers the fills of a bar by side, at their average price', () => {
  const bars = [bar('10:00:00'), bar('10:01:00')]
  const trades = [
    trade('10:00:01'),
    trade('10:00:59', { price: 3003, volume: 2 }),
    trade('10:01:00', { direction: '空' }),
    trade('09:59:59'),
  ]
  expect(ownFills(RB, trades, bars, false)).toMatchObject([
    { start: bars[0]!.start, price: 3002, buy: true, text: '买 3' },
    { start: bars[1]!.start, price: 3000, buy: false, text: '卖 1' },
  ])
})

it("puts a night's fills on the bar of their trading day", () => {
  const days = [bar('00:00:00', '20250605'), { ...bar('00:00:00', '20250606'), start: 9 }]
  expect(ownFills(RB, [trade('21:05:00', { trading_day: '20250606' })], days, true)[0]!.start).toBe(9)
})
