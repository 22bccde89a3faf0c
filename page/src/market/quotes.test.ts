import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { watch } from 'vue'

import type { Tick } from '@/api/rows'

import { QuoteBoard } from './quotes'

const tick = (local_symbol: string, last_price: number, trading_day = '20261130') =>
  ({ local_symbol, last_price, trading_day }) as Tick

let board: QuoteBoard
beforeEach(() => {
  vi.useFakeTimers()
  board = new QuoteBoard()
})
afterEach(() => vi.useRealTimers())

it('shows the newest of a frame, once', () => {
  const row = board.watch('rb')
  const shown: (number | undefined)[] = []
  watch(row, (now) => shown.push(now?.last_price), { flush: 'sync' })
  board.take([tick('rb', 1), tick('cu', 5)])
  board.take([tick('rb', 2)])
  expect(row.value).toBeUndefined()
  vi.runAllTimers()
  expect(row.value!.last_price).toBe(2)
  expect(new Set(shown)).toEqual(new Set([2]))
})

it('lets go of a row that nobody watches any more', () => {
  const row = board.watch('rb')
  board.watch('rb')
  board.release('rb')
  board.take([tick('rb', 1)])
  vi.runAllTimers()
  expect(row.value!.last_price).toBe(1)
  board.release('rb')
  board.take([tick('rb', 2)])
  vi.runAllTimers()
  expect(row.value!.last_price).toBe(1)
})

it('knows what is of before the cut until it is heard of again', () => {
  board.take([tick('rb', 1), tick('cu', 5)])
  expect(board.isAged('rb')).toBe(false)
  board.age()
  board.take([tick('rb', 2)])
  expect([board.isAged('rb'), board.isAged('cu'), board.isAged('never heard')]).toEqual([false, true, false])
})

it('knows what is of an earlier trading day than the others', () => {
  board.take([tick('rb', 1, '20261127'), tick('cu', 5, '20261130')])
  expect([board.isAged('rb'), board.isAged('cu')]).toEqual([true, false])
})
