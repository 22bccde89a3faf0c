/** What a DataTable is made of: its columns, its order, and which of its rows are in sight. */

export interface Column<R> {
  key: string
  label: string
  /** px; the last column takes what is left. */
  width: number
  align?: 'left' | 'right' | 'center'
  /** What it is sorted by, and what is shown where there is no `text`. Without it the column has no order. */
  value?: (row: R) => string | number
  text?: (row: R) => string
  /** The whole of what may be cut off, shown where the pointer rests. */
  title?: (row: R) => string
  look?: (row: R) => string
  /** Stays in sight where the table is wider than its place. For the last column. */
  pinned?: boolean
  /** Left out on a phone. */
  wide?: boolean
}

export interface Order {
  key: string
  down: boolean
}

/** A press on a column's head: up, then down, then as the rows came. */
export function turned(order: Order | undefined, key: string): Order | undefined {
  if (order?.key !== key) return { key, down: false }
  return order.down ? undefined : { key, down: true }
}

const words = new Intl.Collator('zh-CN', { numeric: true })

/** The rows in this order; equal ones stay as they came. */
export function sorted<R>(rows: readonly R[], columns: readonly Column<R>[], order?: Order): readonly R[] {
  const value = columns.find(({ key }) => key === order?.key)?.value
  if (!order || !value) return rows
  const way = order.down ? -1 : 1
  return rows.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)]
    return (
      way * (typeof a === 'number' && typeof b === 'number' ? a - b : words.compare(String(a), String(b)))
    )
  })
}

/** Up to so many rows all of them are in the page; of more only those in sight, and a few around them. */
export const ALL_UP_TO = 100
const AROUND = 8

export interface Window {
  first: number
  /** One past the last. */
  end: number
}

export function inSight(count: number, row: number, scrolled: number, height: number): Window {
  if (count <= ALL_UP_TO) return { first: 0, end: count }
  const first = Math.max(0, Math.min(Math.floor(scrolled / row), count) - AROUND)
  const end = Math.min(count, Math.ceil((scrolled + height) / row) + AROUND)
  return { first: Math.min(first, Math.max(0, end - 1)), end }
}

/** Where a key leads in a list of `count` rows; undefined for a key that does not move. */
export function moved(key: string, at: number, count: number, page: number): number | undefined {
  const to = {
    ArrowDown: at + 1,
    ArrowUp: at < 0 ? count - 1 : at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: count - 1,
  }[key]
  return to === undefined || !count ? undefined : Math.max(0, Math.min(count - 1, to))
}
