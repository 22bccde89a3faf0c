import { expect, it } from 'vitest'

import type { OrderRow, PositionRow, Tick } from '@/api/rows'

import {
  cancelFate,
  closersOf,
  closeWish,
  faultOfPrice,
  fillOf,
  oppositeWish,
  whyNotClose,
  whyNotReverse,
} from './closing'
import type { SentOrder } from './sent'

const held = (more: Partial<PositionRow> = {}) =>
  ({
    local_symbol: 'rb2510.SHFE',
    symbol: 'rb2510',
    direction: 'long',
    volume: 5,
    available: 5,
    ...more,
  }) as PositionRow
const order = (more: Partial<OrderRow> = {}) =>
  ({
    order_id: '1',
    local_symbol: 'rb2510.SHFE',
    direction: '空',
    offset: '平今',
    status: '未成交',
    volume: 5,
    traded: 0,
    status_msg: '',
    ...more,
  }) as OrderRow
const sent = (state: SentOrder['state']) =>
  ({ local_symbol: 'rb2510.SHFE', closes: 'long', state }) as SentOrder
const quote = { bid_price_1: 3090, ask_price_1: 3091 } as Tick

it('closes a long position by selling, a short one by buying', () => {
  expect(closeWish(held(), 2)).toMatchObject({ direction: '空', offset: '平', closes: 'long', volume: 2 })
  expect(closeWish(held({ direction: 'short' }), 2, 3100)).toMatchObject({ direction: '多', price: 3100 })
})

it('opens the other side where somebody stands', () => {
  expect(oppositeWish(held(), 3, quote)).toMatchObject({
    direction: '空',
    offset: '开',
    price: 3090,
    volume: 3,
  })
  expect(oppositeWish(held({ direction: 'short' }), 3, quote)).toMatchObject({ direction: '多', price: 3091 })
  expect(oppositeWish(held(), 3, { ...quote, bid_price_1: 0 })).toBeUndefined()
  expect(oppositeWish(held(), 3)).toBeUndefined()
})

it('knows which orders close a position', () => {
  const others = [
    order({ order_id: '2', offset: '开' }),
    order({ order_id: '3', direction: '多' }),
    order({ order_id: '4', local_symbol: 'ag2512.SHFE' }),
  ]
  expect(closersOf(held(), [order(), ...others]).map(({ order_id }) => order_id)).toEqual(['1'])
})

it('says why nothing can be closed', () => {
  expect(whyNotClose(held(), [], [])).toBe('')
  expect(whyNotClose(held({ available: 0 }), [order()], [])).toContain('5 手被 1 笔平仓挂单冻结')
  expect(whyNotClose(held({ available: 0 }), [], [])).toBe('没有可平的手数')
  expect(whyNotClose(held(), [], [sent('sending')])).toBe('正在平仓')
  expect(whyNotClose(held(), [], [sent('sending'), sent('unknown')])).toContain('未确认')
  expect(whyNotClose(held({ direction: 'short' }), [], [sent('unknown')])).toBe('')
})

it('reverses only what is wholly free', () => {
  expect(whyNotReverse(held(), [], [])).toBe('')
  expect(whyNotReverse(held({ available: 3 }), [order()], [])).toContain('2 手被')
  expect(whyNotReverse(held(), [], [sent('sending')])).toBe('正在平仓')
})

it('takes a close for filled when all lots of all legs are', () => {
  const legs = [
    order({ status: '全部成交', traded: 3 }),
    order({ order_id: '2', status: '部分成交', traded: 1 }),
  ]
  expect(fillOf(['1', '2'], legs, 5)).toMatchObject({ state: 'open', traded: 4 })
  legs[1] = order({ order_id: '2', status: '全部成交', traded: 2 })
  expect(fillOf(['1', '2'], legs, 5)).toEqual({ state: 'filled', traded: 5, words: '' })
})

it('takes a leg whose row has not come for open', () =>
  expect(fillOf(['1', '2'], [order({ status: '全部成交', traded: 5 })], 5).state).toBe('open'))

it('calls a close short that was cancelled, refused, or lacks a leg', () => {
  expect(fillOf(['1'], [order({ status: '已撤销', traded: 2 })], 5)).toEqual({
    state: 'short',
    traded: 2,
    words: '已撤销',
  })
  expect(fillOf(['1'], [order({ status: '拒单', status_msg: '资金不足' })], 5).words).toBe('拒单：资金不足')
  expect(fillOf(['1'], [order({ status: '全部成交', traded: 3 })], 5).state).toBe('short')
})

it('tells what became of a cancel', () => {
  expect(cancelFate(order({ status: '已撤销', traded: 1 })).state).toBe('done')
  expect(cancelFate(order({ status: '全部成交' }))).toEqual({ state: 'done', words: '全部成交' })
  expect(cancelFate(order())).toEqual({ state: 'failed', words: '未成交' })
})

it('judges a price by the tick', () => {
  expect([3090, 3090.5].map((price) => faultOfPrice(price, 1))).toEqual([false, true])
  expect([96.805, 612.34].map((price, n) => faultOfPrice(price, [0.005, 0.02][n]!))).toEqual([false, false])
  expect([0, -1, NaN].map((price) => faultOfPrice(price, 1))).toEqual([true, true, true])
})
