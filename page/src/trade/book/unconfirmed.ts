/** The working orders, and before them those of which nobody knows yet whether they are. */
import { computed, reactive } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import type { OrderRow } from '@/api/rows'
import { useBook } from '@/stores/book'
import { useSending, type SentOrder } from '@/trade/sending'

/** unsure: its fate is open · sending: no answer yet · absent: it never arrived · working: at the counter. */
export type WorkingKind = 'unsure' | 'sending' | 'absent' | 'working'

export interface WorkingRow {
  key: string
  kind: WorkingKind
  /** Of the account's own list; an order without an answer has none. */
  order?: OrderRow
  sent?: SentOrder
}

const RANK: Record<WorkingKind, number> = { unsure: 0, absent: 1, sending: 2, working: 3 }

/** Whether the counter has not said what became of this order. */
export function isUnconfirmed({ status, status_msg }: OrderRow): boolean {
  return status === '状态未知' || (status === '提交中' && status_msg.includes('未确认'))
}

export function workingRows(
  working: readonly OrderRow[],
  sent: readonly SentOrder[],
  listed: ReadonlySet<string>,
): WorkingRow[] {
  const kinds = { sending: 'sending', unknown: 'unsure', absent: 'absent' } as const
  const without = sent.flatMap<WorkingRow>((order) => {
    const kind = kinds[order.state as keyof typeof kinds]
    return kind && !listed.has(order.client_order_id)
      ? [{ key: order.client_order_id, kind, sent: order }]
      : []
  })
  const rows = working.map<WorkingRow>((order) => {
    return { key: order.order_id, kind: isUnconfirmed(order) ? 'unsure' : 'working', order }
  })
  return [...without, ...rows.toReversed()].toSorted((a, b) => RANK[a.kind] - RANK[b.kind])
}

export const useUnconfirmed = defineAccountStore('unconfirmed', (context) => {
  const book = useBook(context)
  const sending = useSending(context)
  const read = reactive(new Set<string>())
  const rows = computed(() => {
    const sent = sending.sent.filter(({ client_order_id }) => !read.has(client_order_id))
    const listed = new Set(book.orders.map(({ client_order_id }) => client_order_id))
    return workingRows(book.working, sent, listed)
  })
  /** It was read that this one never arrived. */
  const dismiss = (row: WorkingRow) => row.kind === 'absent' && read.add(row.key)
  return { rows, dismiss }
})
