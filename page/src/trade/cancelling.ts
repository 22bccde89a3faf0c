/** Cancelling one order. What becomes of it comes as its row; here is said what a row does not say. */
import { reactive } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import type { OrderRow } from '@/api/rows'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useNotices } from '@/stores/notices'

import { isSilence, saysNotSent } from './sent'

export const useCancelling = defineAccountStore('cancelling', (context) => {
  const link = useLink(context)
  const notices = useNotices()
  const under = reactive(new Set<string>())

  /** Why this order cannot be cancelled now; empty where it can. A gateway that rests gets it later: so late a
   * cancel is as good as now. */
  function whyNot({ order_id }: OrderRow): string {
    return link.online ? (under.has(order_id) ? t('book.cancelling') : '') : link.cut
  }

  async function cancel(order: OrderRow): Promise<void> {
    const why = whyNot(order)
    if (why) return void notices.show('info', why)
    const { order_id, local_symbol } = order
    under.add(order_id)
    try {
      const answer = await context.api.call('DELETE', 'order_solve', { order_id, local_symbol }, 15)
      if (answer.error === 'CANCEL_STATE_UNKNOWN') notices.show('unsure', `${local_symbol} ${answer.msg}`)
    } catch (error) {
      if (saysNotSent(error)) notices.show('bad', `${local_symbol} ${wordsOf(error, '')}`)
      else if (isSilence(error)) notices.show('unsure', `${local_symbol} ${t('book.cancelUnknown')}`)
      else throw error
    } finally {
      under.delete(order_id)
    }
  }

  return { under, whyNot, cancel }
})
