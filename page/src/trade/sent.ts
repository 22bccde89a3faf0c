/** An order as this page sent it, what is known of it, and where it is kept over a page loaded anew. */
import { ApiError, NoAnswer, type Fields } from '@/api/http'
import type { Direction, Offset, OrderRow, OrderType } from '@/api/rows'

export interface OrderWish {
  local_symbol: string
  direction: Direction
  offset: Offset
  type: OrderType
  volume: number
  /** Left out for a market order, and for a close that meets the opposite side. */
  price?: number
  /** Set where a position of this side is closed: the server splits it into legs, one by day where it must. */
  closes?: 'long' | 'short'
}

/** sending: no answer yet · unknown: nobody answered, its fate is open · known: the counter has spoken ·
 * refused: it said no, or nothing was sent · absent: it never arrived. */
export type Fate = 'sending' | 'unknown' | 'known' | 'refused' | 'absent'

export interface SentOrder extends OrderWish {
  client_order_id: string
  /** ms of this machine's clock. */
  sent: number
  /** Where the journal stood then: what became of it is behind that. */
  seq: number
  state: Fate
  order_id: string
  /** All that left: a close may be two. Empty before the answer. */
  order_ids: string[]
  message: string
}

/** Of settled orders; one whose fate is open is never forgotten. */
const KEPT = 200
/** A late order is not sent by the gateway after 2 s; over a line that holds nothing comes after this. */
const SETTLED_AFTER_MS = 10_000

export function newOrder(wish: OrderWish, seq: number): SentOrder {
  const { local_symbol, direction, offset, type, volume, price, closes } = wish
  const order = { local_symbol, direction, offset, type, volume, price, closes }
  const open = { order_id: '', order_ids: [], message: '', state: 'sending' as const }
  return { ...order, ...open, client_order_id: newId(), sent: Date.now(), seq }
}

/** The path and the fields of its POST. */
export function postOf(order: SentOrder): [string, Fields] {
  const { local_symbol, direction, offset, type, volume, price, closes, client_order_id } = order
  if (closes) return ['close_position', { local_symbol, direction: closes, volume, price, client_order_id }]
  return ['order_solve', { local_symbol, direction, offset, type, volume, price, client_order_id }]
}

/** The day in it, since an id of an earlier trading day is never taken again. */
function newId(): string {
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  return `p${day}-${crypto.getRandomValues(new BigUint64Array(1))[0]!.toString(36)}`
}

/** What a second click repeats. Not the price: one that follows the quote may have moved between the clicks. */
export function wishKey({ local_symbol, direction, offset, type, volume, closes }: OrderWish): string {
  return [local_symbol, direction, offset, type, volume, closes ?? ''].join(' ')
}

export function isSameSide(one: OrderWish, other: OrderWish): boolean {
  const side = ({ local_symbol, direction, offset }: OrderWish) => `${local_symbol} ${direction} ${offset}`
  return side(one) === side(other)
}

/** Whether a failed POST says that nothing was sent. A proxy's error or a fault of the server's does not. */
export function saysNotSent(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false
  return error.status < 500 || (error.status === 503 && error.code !== '' && error.code !== 'GATEWAY_TIMEOUT')
}

export function isSilence(error: unknown): boolean {
  return error instanceof NoAnswer || (error instanceof ApiError && !saysNotSent(error))
}

/** Whether neither counter nor exchange has spoken in this row. */
export function isOpen(row: OrderRow): boolean {
  return row.status === '提交中' || row.status === '状态未知'
}

export function reasonIn(row: OrderRow): string {
  return row.error_message || row.status_msg || row.status
}

/** Whether it is time to ask for an order that no list has. `whole`: since when the line holds and the lists are
 * of now. */
export function isOverdue(order: SentOrder, whole: number, now: number): boolean {
  return now - Math.max(whole, order.sent) > SETTLED_AFTER_MS
}

export function trimmed(orders: SentOrder[]): SentOrder[] {
  const isUnsettled = ({ state }: SentOrder) => state === 'sending' || state === 'unknown'
  const cut = orders.length - KEPT
  return cut > 0 ? orders.filter((order, at) => at >= cut || isUnsettled(order)) : orders
}

/** Write this one order as it now is. By itself: an account that was left and entered again has two hands here. */
export function keep(place: string, order: SentOrder): void {
  const others = stored(place).filter(({ client_order_id }) => client_order_id !== order.client_order_id)
  const all = [...others, order].sort((a, b) => a.sent - b.sent)
  sessionStorage.setItem(place, JSON.stringify(trimmed(all)))
}

/** What was kept. What was on its way when the page was left has no one to hear its answer. */
export function restored(place: string): SentOrder[] {
  return stored(place).map((order) => (order.state === 'sending' ? { ...order, state: 'unknown' } : order))
}

function stored(place: string): SentOrder[] {
  try {
    return JSON.parse(sessionStorage.getItem(place) ?? '[]')
  } catch {
    return []
  }
}
