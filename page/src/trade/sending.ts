/**
 * Sending orders: each has its client_order_id, and stays in sight as 未确认 until the counter has spoken, over
 * a cut line and a page loaded anew. Nothing here ever sends a second time by itself.
 */
import { computed, ref, watch } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import type { OrderRow } from '@/api/rows'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useBook } from '@/stores/book'
import { useNotices, type NoticeKind } from '@/stores/notices'

import { newestRow } from './journal'
import * as sentOrders from './sent'
import type { OrderWish, SentOrder } from './sent'

export type { OrderWish, SentOrder } from './sent'

/** Within this the same order once more is a double click or a key held down. */
export const TWICE_MS = 300
const LOOK_MS = 2000
const SELDOM_MS = 60_000

interface Press {
  at: number
  told: boolean
  /** The orders that this press, and the ones before that still wait, have sent. */
  orders: { order: SentOrder; outcome: Promise<SentOrder> }[]
}

export const useSending = defineAccountStore('sending', (context) => {
  const { id: account, api, socket } = context
  const book = useBook(context)
  const link = useLink(context)
  const notices = useNotices()
  const place = `ctpbee.sending.${account}`
  const sent = ref<SentOrder[]>(sentOrders.restored(place))
  const unsettled = computed(() =>
    sent.value.filter(({ state }) => state === 'sending' || state === 'unknown'),
  )
  const presses = new Map<string, Press>()
  const warnings = new Map<string, number>()

  /** Send an order; answers it as it then is. A refusal is told as a notice, and raised never. The same order
   * again is the first one: at any price within 300 ms of the last press, and while that has no answer. */
  function send(wish: OrderWish): Promise<SentOrder> {
    const key = sentOrders.wishKey(wish)
    const now = Date.now()
    const press = presses.get(key) ?? { at: 0, told: false, orders: [] }
    press.orders = press.orders.filter(({ order }) => order.state === 'sending' || now - press.at < TWICE_MS)
    const twin = press.orders.findLast(({ order }) => now - press.at < TWICE_MS || order.price === wish.price)
    press.at = now
    presses.set(key, press)
    if (twin) {
      if (!press.told) notices.show('info', t('trade.sentTwice'))
      press.told = true
      return twin.outcome
    }
    sent.value = sentOrders.trimmed([...sent.value, sentOrders.newOrder(wish, link.seq)])
    const order = sent.value.at(-1)!
    const outcome = link.noTrade ? Promise.resolve(refuse(order, link.noTrade)) : post(order)
    press.told = false
    press.orders.push({ order, outcome })
    return outcome
  }

  async function post(order: SentOrder): Promise<SentOrder> {
    sentOrders.keep(place, order) // before it leaves
    try {
      const answer = await api.call('POST', ...sentOrders.postOf(order), 15)
      order.order_id ||= String(answer.order_id ?? '')
      order.order_ids = (answer.order_ids as string[] | undefined) ?? [order.order_id]
      // A close one of whose legs was refused.
      if (answer.refused) notices.show('bad', `${order.local_symbol} ${answer.msg}`)
      if (order.state !== 'sending') return order // its row came before
      if (answer.error === 'ORDER_STATE_UNKNOWN') become(order, 'unknown', answer.msg, 'unsure')
      else become(order, 'known', answer.msg)
    } catch (error) {
      settleFailure(order, error)
    }
    return order
  }

  function settleFailure(order: SentOrder, error: unknown): void {
    if (sentOrders.saysNotSent(error)) refuse(order, wordsOf(error, ''))
    else if (order.state === 'refused')
      refuse(order, order.message) // by its row; told now
    else if (order.state === 'sending') become(order, 'unknown', t('trade.unknownFate'), 'unsure')
    if (!sentOrders.saysNotSent(error) && !sentOrders.isSilence(error)) throw error
  }

  function refuse(order: SentOrder, why: string): SentOrder {
    become(order, 'refused', why, 'bad')
    return order
  }

  /** The order is so from now on; where there is a `kind` a notice says it, in place of the last about it. */
  function become(order: SentOrder, state: SentOrder['state'], message: string, kind?: NoticeKind): void {
    order.state = state
    order.message = message
    sentOrders.keep(place, order)
    notices.drop(warnings.get(order.client_order_id) ?? 0)
    if (kind) warnings.set(order.client_order_id, notices.show(kind, `${order.local_symbol} ${message}`))
  }

  /** What the order's row says; its POST may still be without an answer, which then tells a refusal. */
  function settleBy(order: SentOrder, row: OrderRow): void {
    const before = order.state
    const end = { status: sentOrders.reasonIn(row) }
    order.order_id = row.order_id
    if (before === 'absent') {
      become(order, sentOrders.isOpen(row) ? 'unknown' : 'known', t('trade.arrivedAfterAll', end), 'unsure')
    } else if (sentOrders.isOpen(row)) return
    else if (row.status === '拒单')
      become(order, 'refused', end.status, before === 'sending' ? undefined : 'bad')
    else if (before === 'sending') become(order, 'known', end.status)
    else become(order, 'known', t('trade.fateKnown', end), 'good')
  }

  function settle(): void {
    const open = sent.value.filter(({ state }) => state !== 'known' && state !== 'refused')
    if (!open.length) return
    const byId = new Map(open.map((order) => [order.client_order_id, order]))
    for (const row of book.orders) {
      const order = byId.get(row.client_order_id)
      if (order) settleBy(order, row)
    }
  }

  // Since when the line holds and the lists are of now; 0 while they are not.
  let whole = 0
  let fresh = link.snapshots > 0
  const judgeLine = () => (whole = fresh && !link.noTrade ? whole || Date.now() : 0)
  socket.on('disconnect', () => {
    fresh = false
    judgeLine()
  })
  socket.on('snapshot', () => {
    fresh = true
    judgeLine()
    settle()
  })
  // A late order that was not sent: told to all pages, since who asked waits no more.
  socket.on('error', ({ client_order_id: id, refused_by: by, msg }) => {
    const order = sent.value.find(({ client_order_id }) => client_order_id === id)
    if (order?.state === 'unknown' && by) refuse(order, msg)
  })
  watch(() => link.noTrade, judgeLine, { flush: 'sync' })
  watch(() => book.orders, settle)

  let looking = false
  /** An order that nobody answered and no list has: the journal is asked, before it is said that it is not. */
  async function look(): Promise<void> {
    settle()
    if (looking) return
    looking = true
    try {
      for (const order of sent.value) {
        const isLost = order.state === 'unknown' && !listed(order)
        if (!isLost || !whole || !sentOrders.isOverdue(order, whole, Date.now()) || !isDue(order)) continue
        const row = await newestRow(api, order)
        if (order.state !== 'unknown' || !whole) continue
        if (row) settleBy(order, row)
        else if (!listed(order)) await giveUp(order)
      }
    } catch (error) {
      asked.clear() // it was not answered
      if (!sentOrders.isSilence(error) && !sentOrders.saysNotSent(error)) throw error
    } finally {
      looking = false
    }
  }

  const asked = new Map<string, { at: number; pause: number }>()
  /** Whether to ask for it once more: after ever longer pauses, as one that the server has and no list may stay. */
  function isDue({ client_order_id: id }: SentOrder): boolean {
    const { at, pause } = asked.get(id) ?? { at: 0, pause: LOOK_MS / 2 }
    const isTime = Date.now() - at >= pause
    if (isTime) asked.set(id, { at: Date.now(), pause: Math.min(2 * pause, SELDOM_MS) })
    return isTime
  }

  /** TCP may still bring what the page believes lost: the server is told to send it no more, and says whether it
   * has had it. */
  async function giveUp(order: SentOrder): Promise<void> {
    const { client_order_id } = order
    const answer = await api.call('DELETE', 'order_solve', { client_order_id })
    if (order.state !== 'unknown') return
    if (answer.voided) become(order, 'absent', t('trade.neverArrived'), 'bad')
    else if (answer.state === 'refused') refuse(order, answer.msg)
    else if (answer.state === 'accepted') become(order, 'known', answer.msg, 'good')
  }

  function listed({ client_order_id }: SentOrder): boolean {
    return book.orders.some((row) => row.client_order_id === client_order_id)
  }

  const timer = setInterval(() => void look(), LOOK_MS)
  context.onClose(() => clearInterval(timer))

  /** Whether one of the same side and contract has gone of which nobody knows what became of it. */
  function isDoubtful(wish: OrderWish): boolean {
    return sent.value.some((order) => order.state === 'unknown' && sentOrders.isSameSide(order, wish))
  }

  return { sent, unsettled, send, isDoubtful }
})
