/** Stopping the account or a strategy, and cancelling a selection. What became of it is told, and never guessed. */
import { ref } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import type { Batch, BatchedCancel, Stopped } from '@/api/types'
import { t } from '@/i18n'
import { useNotices } from '@/stores/notices'
import { isSilence, saysNotSent } from '@/trade/sent'

import { useRisk } from './risk'

export type Changed = 'active' | 'reduce_only' | 'halted'

export interface Selection {
  local_symbol?: string
  direction?: string
  strategy?: string
  older?: number
  filled?: string
  /** Of these alone, with commas between. */
  order_ids?: string
}

export const useStopping = defineAccountStore('stopping', (context) => {
  const { api } = context
  const notices = useNotices()
  const risk = useRisk(context)
  /** What is being done, empty where nothing is. */
  const doing = ref('')
  /** The result of each order of the last selection that was cancelled. */
  const cancelled = ref<BatchedCancel[]>([])
  /** What had no result by the answer has one later: those that were told since the last question. */
  const told = new Map<string, Pick<BatchedCancel, 'state' | 'msg'>>()
  context.socket.on('risk', ({ data }) => {
    const { what, order_id, state = '', msg } = data
    if (what !== 'cancel' || !order_id) return
    told.set(order_id, { state, msg })
    show(cancelled.value)
  })

  /** They come by another way than the answer, and may overtake it. */
  function show(orders: readonly BatchedCancel[]): void {
    cancelled.value = orders.map((order) => ({ ...order, ...told.get(order.order_id) }))
  }

  /** Whether it was answered. One without an answer may have been done: that is said, and the states read anew. */
  async function asked(what: string, ask: () => Promise<unknown>): Promise<boolean> {
    if (doing.value) return false
    doing.value = what
    told.clear()
    try {
      await ask()
      return true
    } catch (error) {
      if (saysNotSent(error)) notices.show('bad', `${what}：${wordsOf(error, '')}`)
      else if (isSilence(error)) notices.show('unsure', `${what}：${t('risk.unknown')}`)
      else throw error
      return false
    } finally {
      doing.value = ''
      void risk.load()
    }
  }

  /** Of the account ("") or of a strategy. `cancel`: all its orders too. */
  function change(state: Changed, strategy: string, why: string, cancel = false): Promise<boolean> {
    const what = `${strategy || t('risk.account')} ${t(`risk.${state}`)}`
    return asked(what, async () => {
      const fields = { state, strategy, why, cancel: cancel ? 1 : 0 }
      const answer = await api.call('POST', 'risk/state', fields)
      if (answer.error) notices.show('unsure', answer.msg)
      else notices.show('good', answer.msg)
      show((answer.data as Partial<Stopped>).orders ?? [])
    })
  }

  function logOut(why: string): Promise<boolean> {
    return asked(t('risk.logOut'), async () => {
      notices.show('good', (await api.call('POST', 'risk/logout', { why })).msg)
    })
  }

  function cancelSome(selection: Selection): Promise<boolean> {
    return asked(t('risk.cancelSome'), async () => {
      const answer = await api.call('POST', 'risk/cancel', { ...selection })
      if (answer.error) notices.show('unsure', answer.msg)
      show((answer.data as Batch).orders ?? [])
    })
  }

  return { doing, cancelled, change, logOut, cancelSome }
})
