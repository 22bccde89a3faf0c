import { describe, expect, it } from 'vitest'

import type { Direction, Offset, OrderRow, PositionRow, Tick } from '@/api/rows'
import type { Contract } from '@/market/contracts'

import * as rules from './rules'
import type { OrderWish } from './sent'

const RB = {
  local_symbol: 'rb2701.SHFE',
  exchange: 'SHFE',
  pricetick: 1,
  position_date_type: '1',
  order_types: ['limit', 'fak', 'fok'],
  max_limit_order_volume: 500,
  min_limit_order_volume: 1,
  max_market_order_volume: 30,
  min_market_order_volume: 1,
  limit_up: 3246,
  limit_down: 2937,
} as unknown as Contract
const M = {
  ...RB,
  local_symbol: 'm2701.DCE',
  exchange: 'DCE',
  position_date_type: '2',
  order_types: ['limit', 'market'],
} as Contract
const TICK = { last_price: 3089, bid_price_1: 3088, ask_price_1: 3090, limit_up: 0, limit_down: 0 } as Tick
const LIMITS = { upper: 3246, lower: 2937 }
const WISH: OrderWish = {
  local_symbol: 'rb2701.SHFE',
  direction: '多',
  offset: '开',
  type: '限价',
  volume: 1,
  price: 3090,
}

describe('prices by the tick', () => {
  it.each([
    [3090, 1, 1, 3091],
    [3090.4, 0.2, 1, 3090.6],
    [5892.6, 0.2, -1, 5892.4],
    [96.805, 0.005, 1, 96.81],
    [101.2, 0.02, 10, 101.4],
    [3090.5, 1, 1, 3091],
    [3090.5, 1, -1, 3090],
    [1, 1, -5, 1],
  ])('%d by tick %d, %d steps: %d', (price, tick, by, to) => expect(rules.stepped(price, tick, by)).toBe(to))

  it.each([
    [3080.4, 1, 3080],
    [3080.5, 1, 3081],
    [101.5124, 0.005, 101.51],
    [101.5126, 0.005, 101.515],
    [-7, 5, 5],
  ])('%d lies next to, by tick %d, %d', (price, tick, to) => expect(rules.nearest(price, tick)).toBe(to))

  it('knows what is on the tick in spite of binary fractions', () => {
    expect([5892.6, 0.6, 1.8].map((price) => rules.onTick(price, 0.2))).toEqual([true, true, true])
    expect(rules.onTick(5892.7, 0.2)).toBe(false)
    expect(rules.onTick(101.515, 0.005)).toBe(true)
    expect(rules.onTick(101.5151, 0.005)).toBe(false)
  })
})

describe('followed prices', () => {
  it.each([
    ['opponent', '多', 3090],
    ['opponent', '空', 3088],
    ['queue', '多', 3088],
    ['queue', '空', 3090],
    ['last', '空', 3089],
    ['limitUp', '多', 3246],
    ['limitDown', '空', 2937],
  ] as const)('%s of %s is %d', (mode, direction, price) =>
    expect(rules.followed(mode, direction, TICK, LIMITS)).toBe(price),
  )

  it('has none where nobody stands', () => {
    expect(rules.followed('opponent', '多', { ...TICK, ask_price_1: 0 }, LIMITS)).toBe(0)
    expect(rules.followed('last', '多', undefined, LIMITS)).toBe(0)
  })

  it("takes the limits of the day's quote before those of the contract", () => {
    expect(rules.limitsOf({ ...TICK, limit_up: 3300, limit_down: 3000 }, RB).upper).toBe(3300)
    expect(rules.limitsOf(TICK, RB)).toEqual(LIMITS)
    expect(rules.limitsOf(undefined, undefined)).toEqual({ upper: 0, lower: 0 })
  })
})

describe('what an order does', () => {
  it.each([
    ['多', '开', '开多'],
    ['空', '开', '开空'],
    ['多', '平', '平空'],
    ['空', '平', '平多'],
    ['空', '平今', '平今多'],
    ['多', '平昨', '平昨空'],
  ] as const)('%s %s: %s', (direction, offset, effect) =>
    expect(rules.effectOf(direction, offset)).toBe(effect),
  )

  it('offers today and yesterday apart where the contract splits them', () => {
    expect(rules.offsetsOf(RB)).toEqual(['开', '平今', '平昨'])
    expect(rules.offsetsOf(M)).toEqual(['开', '平'])
  })

  it('offers the types that the row names', () => {
    expect(rules.typesOf(RB)).toEqual(['限价', 'FAK', 'FOK'])
    expect(rules.typesOf(M)).toEqual(['限价', '市价'])
    expect(rules.typesOf(undefined)).toEqual(['限价'])
  })
})

describe('closable', () => {
  const held = {
    local_symbol: 'rb2701.SHFE',
    direction: 'long',
    volume: 5,
    yd_volume: 2,
    frozen: 0,
    available: 5,
  } as PositionRow
  const working = (offset: Offset, volume: number, traded = 0) =>
    ({ local_symbol: 'rb2701.SHFE', direction: '空', offset, volume, traded }) as OrderRow
  const lots = (position: PositionRow, orders: OrderRow[], offset: Offset, direction: Direction = '空') =>
    rules.closable([position], orders, 'rb2701.SHFE', direction, offset)

  it('has today and yesterday apart', () => {
    expect([lots(held, [], '平今'), lots(held, [], '平昨'), lots(held, [], '平')]).toEqual([3, 2, 5])
  })
  it('leaves out what working orders hold, each of its own bucket', () => {
    const position = { ...held, frozen: 2, available: 3 }
    const orders = [working('平今', 3, 2), working('平昨', 1)]
    expect([lots(position, orders, '平今'), lots(position, orders, '平昨')]).toEqual([2, 1])
  })
  it('is of the other side: a buy closes what is short', () => {
    expect(lots(held, [], '平今', '多')).toBe(0)
    expect(lots({ ...held, direction: 'short' }, [], '平今', '多')).toBe(3)
  })
  it('is nothing for an open', () => expect(lots(held, [], '开')).toBe(0))
})

describe('what is wrong with an order', () => {
  const problems = (change: Partial<OrderWish>, contract = RB, most = 0) =>
    Object.entries(rules.problemsOf({ ...WISH, ...change }, contract, LIMITS, most)).map(
      ([field, { key }]) => `${field} ${key.slice(7)}`,
    )
  it.each<[Partial<OrderWish>, string[]]>([
    [{}, []],
    [{ price: 3246 }, []],
    [{ price: 3247 }, ['price aboveLimit']],
    [{ price: 2936 }, ['price belowLimit']],
    [{ price: 3090.5 }, ['price offTick']],
    [{ price: 0 }, ['price priceNotPositive']],
    [{ price: NaN }, ['price noPrice']],
    [{ volume: 500 }, []],
    [{ volume: 501 }, ['volume tooManyLots']],
    [{ volume: 0 }, ['volume badLots']],
    [{ volume: 1.5 }, ['volume badLots']],
    [{ volume: NaN }, ['volume badLots']],
    [{ type: '市价', price: undefined }, ['type noSuchType']],
    [{ offset: '平今' }, ['volume nothingToClose']],
    [{ price: 9, volume: 0 }, ['price belowLimit', 'volume badLots']],
  ])('%j: %j', (change, expected) => expect(problems(change)).toEqual(expected))

  it('judges a close by what is closable', () => {
    expect(problems({ offset: '平今', volume: 3 }, RB, 3)).toEqual([])
    expect(problems({ offset: '平今', volume: 4 }, RB, 3)).toEqual(['volume overClosable'])
  })
  it('judges a market order by its own most, and by no price', () => {
    const market = { type: '市价', price: undefined } as const
    expect(problems({ ...market, volume: 30 }, M)).toEqual([])
    expect(problems({ ...market, volume: 31 }, M)).toEqual(['volume tooManyLots'])
  })
  it('wants the least only of an open', () => {
    const few = { ...RB, min_limit_order_volume: 5 } as Contract
    expect(problems({ volume: 4 }, few)).toEqual(['volume tooFewLots'])
    expect(problems({ volume: 4, offset: '平今' }, few, 4)).toEqual([])
  })
})
