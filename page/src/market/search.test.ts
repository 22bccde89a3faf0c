import { describe, expect, it } from 'vitest'

import type { ListedContract, Tick } from '@/api/rows'

import { favouritesOf, mainContracts, moved, rowsInSight, toggled } from './lists'
import { found, jump } from './search'

function contract(symbol: string, exchange: string, product_name: string): ListedContract {
  const product = symbol.replace(/\d+$/, '')
  const month = symbol.slice(product.length)
  const name = product_name + month
  const local_symbol = `${symbol}.${exchange}`
  const rest = { size: 10, pricetick: 1, sessions: [], expire_date: null }
  return { local_symbol, symbol, exchange, name, product, product_name, ...rest }
}
const LIST = [
  contract('a2701', 'DCE', '黄大豆一号'),
  contract('ag2612', 'SHFE', '白银'),
  contract('rb2701', 'SHFE', '螺纹钢'),
  contract('rb2705', 'SHFE', '螺纹钢'),
  contract('RM701', 'CZCE', '菜籽粕'),
  contract('wr2612', 'SHFE', '线材'),
]
const codes = (query: string) => found(LIST, query).map(({ symbol }) => symbol)
const ticks = (held: Record<string, number>) =>
  new Map(Object.entries(held).map(([symbol, open_interest]) => [symbol, { open_interest } as Tick]))

describe('search', () => {
  it.each([
    ['', ['a2701', 'ag2612', 'rb2701', 'rb2705', 'RM701', 'wr2612']],
    ['RB', ['rb2701', 'rb2705']],
    ['rm', ['RM701']],
    ['螺纹', ['rb2701', 'rb2705']],
    ['lwg', ['rb2701', 'rb2705']],
    ['lwg2705', ['rb2705']],
    ['螺纹 05', ['rb2705']],
    ['2701', ['a2701', 'rb2701']],
    ['钢', ['rb2701', 'rb2705']],
    ['nothing', []],
  ])('%s', (query, symbols) => expect(codes(query)).toEqual(symbols))

  it('has what begins with the word first', () => expect(codes('r')[0]).toBe('rb2701'))
})

describe('typed letters', () => {
  it('jump to the next that begins so, and round the end', () => {
    expect(jump(LIST, 'r', 0)).toBe(2)
    expect(jump(LIST, 'r', 3)).toBe(3)
    expect(jump(LIST, 'rm', 5)).toBe(4)
    expect(jump(LIST, 'lw', 0)).toBe(2)
    expect(jump(LIST, 'zzz', 0)).toBe(-1)
    expect(jump([], 'a', 0)).toBe(-1)
  })
})

describe('lists', () => {
  it('takes the month of most open interest for the main one', () => {
    const { main, sure } = mainContracts(LIST, ticks({ 'rb2701.SHFE': 5, 'rb2705.SHFE': 9 }))
    expect(main.map(({ symbol }) => symbol)).toEqual(['a2701', 'ag2612', 'rb2705', 'RM701', 'wr2612'])
    expect([...sure]).toEqual(['rb2705.SHFE'])
  })

  it('is not sure as long as a month has no quote', () => {
    const { main, sure } = mainContracts(LIST, ticks({ 'rb2705.SHFE': 9 }))
    expect(main[2]!.symbol).toBe('rb2705')
    expect(sure.size).toBe(0)
  })

  it('keeps favourites in their own order, without the expired', () => {
    const bySymbol = new Map(LIST.map((one) => [one.local_symbol, one]))
    const favourites = ['wr2612.SHFE', 'rb2501.SHFE', 'a2701.DCE']
    expect(favouritesOf(bySymbol, favourites).map(({ symbol }) => symbol)).toEqual(['wr2612', 'a2701'])
  })

  it('moves a favourite and stays inside', () => {
    expect(moved(['a', 'b', 'c'], 'c', -1)).toEqual(['a', 'c', 'b'])
    expect(moved(['a', 'b', 'c'], 'a', -1)).toEqual(['a', 'b', 'c'])
    expect(moved(['a', 'b', 'c'], 'a', 9)).toEqual(['b', 'c', 'a'])
    expect(moved(['a'], 'x', 1)).toEqual(['a'])
  })

  it('marks and unmarks', () => {
    expect(toggled(['a'], 'b')).toEqual(['a', 'b'])
    expect(toggled(['a', 'b'], 'a')).toEqual(['b'])
  })

  it('has only the rows in sight and a few more', () => {
    expect(rowsInSight(0, 480, 24, 856)).toEqual([0, 24])
    expect(rowsInSight(2400, 480, 24, 856)).toEqual([96, 124])
    expect(rowsInSight(99999, 480, 24, 10)).toEqual([10, 10])
    expect(rowsInSight(0, 0, 24, 0)).toEqual([0, 0])
  })
})
