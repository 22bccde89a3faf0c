import { describe, expect, it } from 'vitest'

import type { BarUpdate } from '@/api/rows'

import { BarSeries, combine, mergeBars, rowsToBars, tradingDays, type Bar } from './bars'

const MINUTE = 60_000
const T = Date.UTC(2025, 5, 5, 2, 0) // 10:00 in Beijing

function bar(start: number, close: number, more: Partial<Bar> = {}): Bar {
  const plain = { open: close, high: close, low: close, volume: 1, turnover: 10, openInterest: 5 }
  return { start, close, ...plain, ...more }
}

function forming(minute: number, close: number, volume: number, starts: Record<string, number>): BarUpdate {
  const data = [T + minute * MINUTE, close, close, close, close, volume]
  const more = { turnover: volume * 10, open_interest: 7, trading_day: '20250605' }
  return { local_symbol: 'rb2510.SHFE', interval: '1m', data, starts, ...more }
}

describe('rows', () => {
  it('have turnover and open interest at their end', () => {
    const [one] = rowsToBars([[T, 1, 3, 0.5, 2, 9, 900, 50]], '1m')
    expect(one).toEqual({
      start: T,
      open: 1,
      high: 3,
      low: 0.5,
      close: 2,
      volume: 9,
      turnover: 900,
      openInterest: 50,
    })
  })
  it('of days name their day', () => {
    const [one] = rowsToBars([[T, 1, 3, 0.5, 2, 9, '20250605', null, null]], '1d')
    expect(one).toMatchObject({ tradingDay: '20250605', turnover: null, openInterest: null })
  })
})

describe('merging', () => {
  it('keeps each start once, the fresh one, in order', () => {
    const merged = mergeBars([bar(3, 1), bar(1, 1)], [bar(2, 9), bar(3, 9)])
    expect(merged.map(({ start, close }) => [start, close])).toEqual([
      [1, 1],
      [2, 9],
      [3, 9],
    ])
  })
  it('puts a minute on what is there of its bar', () => {
    const base = bar(T, 5, { high: 7, low: 4, volume: 10 })
    const whole = combine(base, bar(T + MINUTE, 8, { high: 9, low: 6, volume: 3 }), T)
    expect(whole).toMatchObject({ start: T, open: 5, high: 9, low: 4, close: 8, volume: 13, turnover: 20 })
  })
  it('knows no turnover where a part has none', () => {
    expect(combine(bar(T, 5, { turnover: null }), bar(T, 5), T).turnover).toBeNull()
  })
})

describe('a series', () => {
  it('shows a forming minute on top of a longer bar, and counts it once however often it is told', () => {
    const series = new BarSeries('5m')
    series.load([bar(T, 5, { volume: 10 })])
    for (const volume of [1, 2, 4]) series.form(forming(2, 6, volume, { '5m': T }))
    expect(series.newest).toMatchObject({ start: T, close: 6, volume: 14 })
    expect(series.closed[0]!.volume).toBe(10)
  })
  it('opens a new longer bar with its first minute', () => {
    const series = new BarSeries('5m')
    series.load([bar(T, 5)])
    series.form(forming(5, 6, 2, { '5m': T + 5 * MINUTE }))
    expect(series.all.map(({ start }) => start)).toEqual([T, T + 5 * MINUTE])
  })
  it('takes a closed minute in, and the next one on top', () => {
    const series = new BarSeries('5m')
    series.load([bar(T, 5, { volume: 10 })])
    series.form(forming(1, 6, 2, { '5m': T }))
    series.close([T + MINUTE, 6, 8, 6, 7, 3])
    series.form(forming(2, 9, 1, { '5m': T }))
    expect(series.newest).toMatchObject({ high: 9, close: 9, volume: 14 })
  })
  it('does not count a minute twice that the server has closed meanwhile', () => {
    const series = new BarSeries('1m')
    series.form(forming(1, 6, 2, { '1m': T + MINUTE }))
    series.load([bar(T + MINUTE, 7, { volume: 3 })], T + MINUTE)
    expect(series.newest).toMatchObject({ close: 7, volume: 3 })
    expect(series.form(forming(1, 6, 2, { '1m': T + MINUTE }))).toBe(false)
  })
  it('does not count it twice in a longer bar either', () => {
    const series = new BarSeries('5m')
    series.form(forming(1, 6, 2, { '5m': T }))
    series.load([bar(T, 6, { volume: 12 })], T + MINUTE)
    expect(series.close([T + MINUTE, 6, 6, 6, 6, 2])).toBe(false)
    expect(series.newest!.volume).toBe(12)
  })
  it('passes over a minute that is older than the one it has', () => {
    const series = new BarSeries('1m')
    expect(series.form(forming(3, 6, 2, { '1m': T + 3 * MINUTE }))).toBe(true)
    expect(series.form(forming(2, 9, 2, { '1m': T + 2 * MINUTE }))).toBe(false)
    expect(series.newest?.close).toBe(6)
  })
  it('fills a gap with what is loaded after it', () => {
    const series = new BarSeries('1m')
    series.load([bar(T, 1)])
    series.form(forming(9, 6, 2, { '1m': T + 9 * MINUTE }))
    series.load([bar(T + MINUTE, 2), bar(T + 2 * MINUTE, 3)])
    expect(series.all.map(({ close }) => close)).toEqual([1, 2, 3, 6])
  })
})

describe('trading days', () => {
  const at = (day: number, hour: number) => bar(Date.UTC(2025, 5, day, hour - 8), 1)
  const shown = (bars: Bar[], current = '') =>
    tradingDays(bars, current).map((day) => new Date(day + 8 * 3600_000).toISOString().slice(5, 10))

  it("give Friday's night and its small hours to Monday", () => {
    expect(shown([at(6, 14), at(6, 21), at(7, 1), at(9, 9)])).toEqual(['06-06', '06-09', '06-09', '06-09'])
  })
  it('give the newest night to the day that the counter names', () => {
    expect(shown([at(5, 14), at(5, 21)], '20250606')).toEqual(['06-05', '06-06'])
  })
})
