/**
 * Sending orders: each has its client_order_id, and stays in sight as 未确认 until the counter has spoken, over
 * a cut line and a page loaded anew. Nothing here ever sends a second time by itself.
 */
import { computed, ref, watch } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { ApiError, NoAnswer } from '@/api/http'
import type { Direction, Offset, OrderType } from '@/api/rows'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useBook } from '@/stores/book'
import { useNotices } from '@/stores/notices'

export interface OrderWish {
  local_symbol: string
  direction: Direction
  offset: Offset
  type: OrderType
  volume: number
  /** Left out for a market order. */
  price?: number
}

export interface SentOrder extends OrderWish {
  client_order_id: string
  /** ms of this machine's clock. */
  sent: number
  /** sending: no answer yet · unknown: nobody answered, its fate is open · known: the counter has spoken ·
   * refused: it said no · absent: it never reached the counter. */
  state: 'sending' | 'unknown' | 'known' | 'refused' | 'absent'
  order_id: string
  message: string
}

/** A late order is not sent by the gateway after 2 s; with the line's own delays nothing comes after this. */
export const SETTLED_AFTER_MS = 10_000
const KEPT = 200

export const useSending = defineAccountStore('sending', (context) => {
  const { id: account, api, socket } = context
  const book = useBook(context)
  const link = useLink(context)
  const notices = useNotices()
  const place = `ctpbee.sending.${account}`
  const sent = ref<SentOrder[]>(kept(place))
  const unsettled = computed(() =>
    sent.value.filter(({ state }) => state === 'sending' || state === 'unknown'),
  )

  watch(sent, (now) => sessionStorage.setItem(place, JSON.stringify(now.slice(-KEPT))), { deep: true })

  /** Send an order; answers it as it then is. A refusal is told as a notice, and raised never. */
  async function send(wish: OrderWish): Promise<SentOrder> {
    const order: SentOrder = { ...wish, ...blank(newId()) }
    sent.value = [...sent.value, order].slice(-KEPT)
    const kept = sent.value.at(-1)!
    const { local_symbol, direction, offset, type, volume, price } = wish
    const fields = {
      local_symbol,
      direction,
      offset,
      type,
      volume,
      price,
      client_order_id: order.client_order_id,
    }
    try {
      const answer = await api.call('POST', 'order_solve', fields, 15)
      kept.order_id = String(answer.order_id ?? '')
      kept.state = answer.error === 'ORDER_STATE_UNKNOWN' ? 'unknown' : 'known'
      kept.message = answer.msg
      if (kept.state === 'unknown') notices.show('unsure', answer.msg)
    } catch (error) {
      settleFailure(kept, error)
    }
    return kept
  }

  function settleFailure(order: SentOrder, error: unknown): void {
    if (order.state === 'known') return // its row came meanwhile
    if (error instanceof ApiError) {
      order.state = 'refused'
      order.message = error.advice ? `${error.message}（${error.advice}）` : error.message
      notices.show('bad', `${order.local_symbol} ${order.message}`)
    } else if (error instanceof NoAnswer) {
      order.state = 'unknown'
      order.message = t('trade.unknownFate')
      notices.show('unsure', `${order.local_symbol} ${order.message}`)
    } else throw error
  }

  /** The account's own list decides what became of an order whose answer did not come. */
  function settle(): void {
    const rows = new Map(book.orders.map((row) => [row.client_order_id, row]))
    for (const order of unsettled.value) {
      const row = rows.get(order.client_order_id)
      if (row && row.status !== '提交中' && row.status !== '状态未知') {
        order.state = row.status === '拒单' ? 'refused' : 'known'
        order.order_id = row.order_id
        order.message = row.status_msg
      } else if (
        !row &&
        order.state === 'unknown' &&
        Date.now() - order.sent > SETTLED_AFTER_MS &&
        link.noTrade === ''
      ) {
        order.state = 'absent'
        order.message = t('trade.neverArrived')
        notices.show('bad', `${order.local_symbol} ${order.message}`)
      }
    }
  }
  watch(() => book.orders, settle)
  socket.on('snapshot', settle)
  const timer = setInterval(settle, 2000)
  context.onClose(() => clearInterval(timer))

  return { sent, unsettled, send }
})

function blank(id: string) {
  return { client_order_id: id, sent: Date.now(), state: 'sending' as const, order_id: '', message: '' }
}

/** The day in it, since an id of an earlier trading day is never taken again. */
function newId(): string {
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  return `p${day}-${crypto.getRandomValues(new BigUint64Array(1))[0]!.toString(36)}`
}

function kept(place: string): SentOrder[] {
  try {
    const orders: SentOrder[] = JSON.parse(sessionStorage.getItem(place) ?? '[]')
    // What was on its way when the page was left has no one to hear its answer.
    return orders.map((order) => (order.state === 'sending' ? { ...order, state: 'unknown' } : order))
  } catch {
    return []
  }
}
