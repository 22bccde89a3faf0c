/**
 * What happened while the page was away. The snapshot says how things stand; the journal says what came between,
 * and the page says that it has closed the gap.
 */
import { ref } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { ApiError, NoAnswer } from '@/api/http'
import { t } from '@/i18n'
import { useNotices } from '@/stores/notices'

import { useLink } from './link'

export interface Gap {
  seconds: number
  orders: number
  trades: number
  /** Whether the journal could be asked. */
  known: boolean
}

interface Events {
  events: { event: string }[]
}

export const useGap = defineAccountStore('gap', (context) => {
  const { api, socket } = context
  const link = useLink(context)
  const notices = useNotices()
  const last = ref<Gap>()
  let left: { since: number; at: number } | undefined

  let looked = false // a first connection closes no gap

  socket.on('disconnect', () => {
    if (looked) left ??= { since: link.seq, at: Date.now() }
  })
  socket.on('snapshot', () => void close())

  async function close(): Promise<void> {
    looked = true
    if (!left) return
    const { since, at } = left
    left = undefined
    const seconds = Math.round((Date.now() - at) / 1000)
    let events: Events['events'] = []
    let known = true
    try {
      events = (await api.data<Events>('GET', 'events', { since })).events
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof NoAnswer)) throw error
      known = false
    }
    const count = (kind: string) => events.filter(({ event }) => event === kind).length
    last.value = { seconds, orders: count('order_update'), trades: count('trade_update'), known }
    const words = { seconds, orders: last.value.orders, trades: last.value.trades }
    notices.show(known ? 'info' : 'unsure', t(known ? 'link.gap' : 'link.gapUnknown', words))
  }

  return { last }
})
