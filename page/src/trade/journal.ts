/** The account's journal of orders: what became of one that no list has any more. */
import type { Api } from '@/api/http'
import type { OrderRow } from '@/api/rows'

import type { SentOrder } from './sent'

interface Events {
  events: { seq: number; data: OrderRow }[]
}

/** The order's newest row since it was sent, of whatever trading day. Raises ApiError or NoAnswer. */
export async function newestRow(api: Api, order: SentOrder): Promise<OrderRow | undefined> {
  let found: OrderRow | undefined
  let since = order.seq
  for (;;) {
    const { events } = await api.data<Events>('GET', 'events', { since, limit: 10_000 })
    if (!events.length) return found
    found = events.findLast(({ data }) => data.client_order_id === order.client_order_id)?.data ?? found
    since = events.at(-1)!.seq
  }
}
