/** The account's lists as the server last sent them, each whole: positions, orders, trades, funds, log. */
import { computed, ref, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { WORKING, type Fund, type LogRow, type OrderRow, type PositionRow, type TradeRow } from '@/api/rows'

const LOG_LINES = 500

export const useBook = defineAccountStore('book', ({ api, socket }) => {
  const positions = shallowRef<PositionRow[]>([])
  const orders = shallowRef<OrderRow[]>([])
  const trades = shallowRef<TradeRow[]>([])
  const funds = shallowRef<Fund[]>([])
  const log = shallowRef<LogRow[]>([])
  /** When the lists were so, where they are not of now (休市, 断线); else empty. */
  const asOf = ref('')

  socket.on('position', ({ data }) => (positions.value = data))
  socket.on('order', ({ data }) => (orders.value = data))
  socket.on('trade', ({ data }) => (trades.value = data))
  socket.on('account_detail', ({ data }) => (funds.value = data))
  socket.on('log', (row) => (log.value = [...log.value, row].slice(-LOG_LINES)))
  socket.on('order_update', ({ data }) => (orders.value = withRow(orders.value, data)))
  socket.on('status', ({ td }) => {
    // Loaded during an outage that is over: what failed now is asked for with the next word of the fronts.
    if (asOf.value && td?.state === 'ready') void load().catch(() => {})
  })

  /** The log from before this page came, and since when the lists are so. Raises ApiError or NoAnswer. */
  async function load(): Promise<void> {
    const lists = await api.data<{ log_history: LogRow[]; as_of: string }>('GET', 'order_solve')
    log.value = lists.log_history
    asOf.value = lists.as_of
  }

  const working = computed(() => orders.value.filter((order) => WORKING.includes(order.status)))
  const fund = computed(() => Object.fromEntries(funds.value.map(({ key, value }) => [key, value])))

  return { positions, orders, trades, funds, fund, log, working, asOf, load }
})

/** The list with this order as it now is. The whole list follows within 100 ms; this row is there at once. */
export function withRow(orders: OrderRow[], row: OrderRow): OrderRow[] {
  const at = orders.findIndex((order) => order.order_id === row.order_id)
  return at < 0 ? [...orders, row] : orders.with(at, row)
}
