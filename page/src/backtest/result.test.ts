import { expect, it } from 'vitest'

import { beijingDay, decimalsOf, fallsOf, feedOf, fillsOn, orderLines, yearsOf, type Fill } from './result'

const MORNING = Date.parse('2024-01-02T09:00:00+08:00')
const fill = (changes: Partial<Fill>): Fill => ({
  trading_day: '20240102',
  moment: '2024-01-02 09:07:00',
  symbol: 'rb2405',
  side: '多',
  offset: '开',
  volume: 1,
  price: 4000,
  multiplier: 10,
  commission: 4,
  strategy: '甲',
  ...changes,
})

it('a drawdown is what is lost since the highest so far', () => {
  expect(fallsOf([100, 110, 99, 110, 121])).toEqual([0, 0, 99 / 110 - 1, 0, 0])
  expect(fallsOf([100, 50, 75]).map((value) => value.toFixed(2))).toEqual(['0.00', '-0.50', '-0.25'])
})

it('months stand in their years, and a year compounds what its months returned', () => {
  const years = yearsOf({
    '202402': { net: 30, return: -0.5 },
    '202312': { net: 10, return: 0.1 },
    '202401': { net: 20, return: 0.5 },
  })
  expect(years.map(({ year }) => year)).toEqual(['2023', '2024'])
  expect(years[1]!.months.slice(0, 3)).toEqual([
    { net: 20, return: 0.5 },
    { net: 30, return: -0.5 },
    undefined,
  ])
  expect(years[1]!.whole).toEqual({ net: 50, return: -0.25 })
  expect(years[0]!.months[11]).toEqual({ net: 10, return: 0.1 })
})

it('a year with a month whose return cannot be told has none', () =>
  expect(yearsOf({ '202401': { net: 5, return: null } })[0]!.whole).toEqual({ net: 5, return: null }))

it('orders that were not filled are shown with why, and what was not sent among them by time', () => {
  const order = (order_id: string, traded: number, more = {}) => ({
    ...{ trading_day: '20240102', order_id, strategy: '甲', symbol: 'rb2405', direction: '多' as const },
    ...{
      offset: '开',
      type: '限价',
      price: 4000,
      volume: 2,
      traded,
      status: '全部成交',
      status_msg: '全部成交',
    },
    ...{ error_code: '', error_message: '', datetime: '2024-01-02 09:01:00.000', ...more },
  })
  const result = {
    orders: [
      order('1', 2),
      order('2', 0, { status: '拒单', error_message: '资金不足', datetime: '2024-01-02 09:03:00.000' }),
      order('3', 0, { status: '已撤销', status_msg: '收盘', datetime: '2024-01-02 09:00:00.000' }),
    ],
    not_sent: [
      {
        time: '2024-01-02 09:02:00',
        strategy: '甲',
        symbol: 'rb2405',
        price: 1,
        volume: 1,
        reason: '自成交',
      },
    ],
  }
  expect(orderLines(result, true).map(({ key, why }) => [key, why])).toEqual([
    ['3', '收盘'],
    ['not-sent-0', '自成交'],
    ['2', '资金不足'],
  ])
  expect(orderLines(result, false)).toHaveLength(4)
})

it('fills stand on the candle that they were in, gathered by side; of other contracts none do', async () => {
  const rows = [0, 5, 10].map((minute) => [MORNING + minute * 60_000, 1, 1, 1, 1, 1])
  const feed = feedOf('rb2405.SHFE', { interval: '5m', rows })
  await feed.load()
  const trades = [fill({}), fill({ price: 4010 }), fill({ side: '空' }), fill({ symbol: 'rb2410' })]
  const marks = fillsOn('rb2405.SHFE', trades, feed.series.all, '5m')
  expect(marks.map(({ start, buy, price }) => [start - MORNING, buy, price])).toEqual([
    [300_000, true, 4005],
    [300_000, false, 4000],
  ])
})

it('a fill of the night stands on the candle of its trading day', async () => {
  const day = Date.parse('2024-01-03T00:00:00+08:00')
  const feed = feedOf('rb2405.SHFE', { interval: '1d', rows: [[day, 1, 1, 1, 1, 1]] })
  await feed.load()
  expect(feed.series.all[0]!.tradingDay).toBe('20240103')
  const night = fill({ trading_day: '20240103', moment: '2024-01-02 21:30:00' })
  expect(fillsOn('rb2405.SHFE', [night], feed.series.all, '1d').map(({ start }) => start)).toEqual([day])
})

it('days are those of Beijing, decimals those of the prices', () => {
  expect(beijingDay(Date.parse('2024-01-02T16:30:00Z'))).toBe('20240103')
  expect(decimalsOf([[0, 4000, 4001, 3999, 4000, 12.5]])).toBe(0)
  expect(decimalsOf([[0, 96.805, 97, 96, 96.9, 1]])).toBe(3)
})
