/** Whether the account and its strategies may trade: told with each snapshot and each `risk` event, never asked. */
import { computed, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import type { Offset } from '@/api/rows'
import type { RiskState, RiskStates } from '@/api/types'
import { t } from '@/i18n'

export const useRiskStates = defineAccountStore('riskStates', ({ socket }) => {
  const states = shallowRef<RiskStates>()
  socket.on('snapshot', (event) => (states.value = event.states))
  socket.on('risk', ({ data }) => (states.value = data.states))

  /** What is not active, the account first. */
  const stopped = computed(() => {
    const { account, strategies = {} } = states.value ?? {}
    const all = [
      { name: '', state: account },
      ...Object.entries(strategies).map(([name, state]) => ({ name, state })),
    ]
    return all.flatMap(({ name, state }) => (state && state.state !== 'active' ? [{ name, state }] : []))
  })
  /** Why no order at all would pass the gate, closes neither; empty where they do. */
  const noOrders = computed(() => reason('halted'))
  /** Why no order that opens would. */
  const noOpens = computed(() => noOrders.value || reason('reduce_only'))

  function reason(which: RiskState['state']): string {
    const account = states.value?.account
    return account?.state === which ? said('', account) : ''
  }

  /** Why an order of this offset, sent by hand, would be refused; empty where it would not. */
  function whyNot(offset: Offset): string {
    return offset === '开' ? noOpens.value : noOrders.value
  }

  return { states, stopped, noOrders, noOpens, whyNot }
})

/** Who is stopped how, by whom, when and why. */
export function said(name: string, { state, who, when, why }: RiskState): string {
  const by = [who, why, when.slice(0, 19)].filter(Boolean).join(t('risk.comma'))
  return t('risk.stopped', { whose: name || t('risk.account'), state: t(`risk.${state}`), by })
}
