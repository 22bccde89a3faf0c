import { expect, it } from 'vitest'

import { inSight, moved, sorted, turned, type Column } from './table'

interface Row {
  name: string
  lots: number
}
const columns: Column<Row>[] = [
  { key: 'name', label: '', width: 1, value: (row) => row.name },
  { key: 'lots', label: '', width: 1, value: (row) => row.lots },
  { key: 'act', label: '', width: 1 },
]
const rows = [
  { name: 'rb2510', lots: 2 },
  { name: 'rb2509', lots: 10 },
  { name: 'ag2512', lots: 2 },
]
const names = (order?: { key: string; down: boolean }) => sorted(rows, columns, order).map(({ name }) => name)

it('sorts numbers as numbers, and leaves equal rows as they came', () => {
  expect(names({ key: 'lots', down: false })).toEqual(['rb2510', 'ag2512', 'rb2509'])
  expect(names({ key: 'lots', down: true })).toEqual(['rb2509', 'rb2510', 'ag2512'])
})

it('sorts contracts by name and month', () =>
  expect(names({ key: 'name', down: false })).toEqual(['ag2512', 'rb2509', 'rb2510']))

it('leaves the rows alone without an order, or by a column that has none', () => {
  expect(sorted(rows, columns)).toBe(rows)
  expect(sorted(rows, columns, { key: 'act', down: true })).toBe(rows)
})

it('turns up, down and back', () => {
  const up = turned(undefined, 'lots')
  const down = turned(up, 'lots')
  expect([up, down, turned(down, 'lots'), turned(down, 'name')]).toEqual([
    { key: 'lots', down: false },
    { key: 'lots', down: true },
    undefined,
    { key: 'name', down: false },
  ])
})

it('shows all of a hundred rows, and of more those in sight', () => {
  expect(inSight(100, 24, 0, 240)).toEqual({ first: 0, end: 100 })
  expect(inSight(5000, 24, 0, 240)).toEqual({ first: 0, end: 18 })
  expect(inSight(5000, 24, 24_000, 240)).toEqual({ first: 992, end: 1018 })
  expect(inSight(5000, 24, 24 * 4990, 240)).toEqual({ first: 4982, end: 5000 })
})

it('shows rows also where the list became shorter than it was scrolled', () => {
  const { first, end } = inSight(150, 24, 24 * 4990, 240)
  expect(end).toBe(150)
  expect(first).toBeLessThan(end)
})

it('moves by keys and stays inside', () => {
  expect(moved('ArrowDown', -1, 5, 3)).toBe(0)
  expect(moved('ArrowUp', -1, 5, 3)).toBe(4)
  expect(moved('ArrowDown', 4, 5, 3)).toBe(4)
  expect(moved('PageDown', 1, 5, 3)).toBe(4)
  expect(moved('Home', 3, 5, 3)).toBe(0)
  expect(moved('x', 3, 5, 3)).toBeUndefined()
  expect(moved('End', 0, 0, 3)).toBeUndefined()
})
