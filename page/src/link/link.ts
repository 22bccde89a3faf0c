/**
 * What is connected, and what is therefore true: the page's socket, the gateway, its fronts. Everything that
 * shows a value or sends an order asks here first.
 */
import { computed, ref, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import type { Status } from '@/api/rows'
import { t } from '@/i18n'

export const useLink = defineAccountStore('link', ({ socket }) => {
  const online = ref(socket.connected)
  /** When the socket came or went, in ms of this machine. */
  const since = ref(Date.now())
  const status = shallowRef<Status>()
  /** The journal's number up to which this page has heard all. */
  const seq = ref(0)
  /** How often a snapshot has come: above 1 the page has been away in between. */
  const snapshots = ref(0)
  /** Whether this connection's own snapshot is there: what came by an earlier one is old. */
  const fresh = ref(false)

  const set = (value: boolean) => {
    if (online.value === value) return
    online.value = value
    since.value = Date.now()
    fresh.value = false
  }
  socket.on('connect', () => set(true))
  socket.on('disconnect', () => set(false))
  socket.on('status', (event) => (status.value = event))
  socket.on('snapshot', (event) => {
    seq.value = event.seq
    snapshots.value += 1
    fresh.value = true
  })
  const follow = (event: { seq: number }) => (seq.value = Math.max(seq.value, event.seq))
  socket.on('order_update', follow)
  socket.on('trade_update', follow)

  /** Why nothing that the page shows is of now; empty when it is. */
  const cut = computed(() => {
    if (!online.value) return t('link.pageLost')
    const gateway = status.value?.gateway.state
    if (gateway === 'frozen') return t('link.gatewayFrozen')
    if (gateway !== undefined && gateway !== 'connected') return t('link.gatewayLost')
    return fresh.value ? '' : t('common.loading')
  })
  /** Why no order can be sent now; empty when one can. */
  const noTrade = computed(() => cut.value || frontDown(status.value?.td, 'link.tdDown'))
  /** Why quotes are not of now; empty when they are. */
  const noQuotes = computed(() => cut.value || frontDown(status.value?.md, 'link.mdDown'))

  return { online, since, status, seq, snapshots, cut, noTrade, noQuotes }
})

function frontDown(part: Status['td'] | undefined, key: 'link.tdDown' | 'link.mdDown'): string {
  if (part?.state === 'ready') return ''
  return t(key, { state: part?.reason || part?.state || t('link.unknown') })
}
