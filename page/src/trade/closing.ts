/** What closing, reversing and cancelling come to: plans and judgements, without a server. */
import type { OrderRow, PositionRow, Tick } from '@/api/rows'
import { t } from '@/i18n'

import type { OrderWish, SentOrder } from './sent'

/** Close so many lots of a position at this price, or where the opposite side stands. */
export function closeWish(position: PositionRow, volume: number, price?: number): OrderWish {
  const { local_symbol, direction } = position
  const way = direction === 'long' ? '空' : '多'
  return { local_symbol, direction: way, offset: '平', type: '限价', volume, price, closes: direction }
}

/** Open as many lots on the other side, at the price that meets somebody now; undefined where nobody stands. */
export function oppositeWish(position: PositionRow, volume: number, tick?: Tick): OrderWish | undefined {
  const isLong = position.direction === 'long'
  const price = isLong ? tick?.bid_price_1 : tick?.ask_price_1
  if (!price) return undefined
  const { local_symbol } = position
  return { local_symbol, direction: isLong ? '空' : '多', offset: '开', type: '限价', volume, price }
}

/** The working orders that close this position. */
export function closersOf(position: PositionRow, working: readonly OrderRow[]): OrderRow[] {
  const way = position.direction === 'long' ? '空' : '多'
  return working.filter(
    ({ local_symbol, direction, offset }) =>
      local_symbol === position.local_symbol && direction === way && offset !== '开',
  )
}

/** Why nothing of this position can be closed now; empty where something can. */
export function whyNotClose(
  position: PositionRow,
  working: readonly OrderRow[],
  unsettled: readonly SentOrder[],
): string {
  const ours = unsettled.filter(
    ({ local_symbol, closes }) => local_symbol === position.local_symbol && closes === position.direction,
  )
  if (ours.some(({ state }) => state === 'unknown')) return t('book.closeUnknown')
  if (ours.length) return t('book.closing')
  if (position.available > 0) return ''
  return whatHolds(position, working)
}

/** What keeps lots of a position from being closed, in words. */
function whatHolds(position: PositionRow, working: readonly OrderRow[]): string {
  const closers = closersOf(position, working)
  if (!closers.length) return t('book.nothingClosable')
  return t('book.frozenByOrders', { lots: position.volume - position.available, orders: closers.length })
}

/** Why it cannot be reversed: that takes all its lots. */
export function whyNotReverse(
  position: PositionRow,
  working: readonly OrderRow[],
  unsettled: readonly SentOrder[],
): string {
  const why = whyNotClose(position, working, unsettled)
  if (why || position.available === position.volume) return why
  return whatHolds(position, working)
}

export interface Fill {
  /** open: some of it may still trade · filled: all of it did · short: it ended, and not all of it did. */
  state: 'open' | 'filled' | 'short'
  traded: number
  /** How those ended that did not fill, with their reasons. */
  words: string
}

const ENDED: readonly string[] = ['全部成交', '已撤销', '拒单']

/** How far these orders have come, which together were to trade `volume` lots. */
export function fillOf(ids: readonly string[], orders: readonly OrderRow[], volume: number): Fill {
  const rows = orders.filter(({ order_id }) => ids.includes(order_id))
  const traded = rows.reduce((sum, row) => sum + row.traded, 0)
  const ended = rows.length === ids.length && rows.every(({ status }) => ENDED.includes(status))
  const state = !ended ? 'open' : traded === volume ? 'filled' : 'short'
  const words = rows
    .filter(({ status }) => status !== '全部成交')
    .map((row) => (row.status === '拒单' ? `${row.status}：${row.status_msg}` : row.status))
  return { state, traded, words: [...new Set(words)].join('；') }
}

/** What has become of an order that was to be cancelled. */
export function cancelFate(order: OrderRow | undefined): { state: 'done' | 'failed'; words: string } {
  if (!order) return { state: 'done', words: '' }
  const { status, traded, volume } = order
  if (status === '已撤销') return { state: 'done', words: t('book.cancelled', { traded, volume }) }
  return { state: ENDED.includes(status) ? 'done' : 'failed', words: status }
}

/** Whether this is no price on the tick. */
export function faultOfPrice(price: number, tick: number): boolean {
  if (!Number.isFinite(price) || price <= 0) return true
  return tick > 0 && Math.abs(price / tick - Math.round(price / tick)) > 1e-6
}
