/** All contracts of the account, by their names, and the details of those that were asked for. */
import { computed, reactive, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import type { ListedContract } from '@/api/rows'

/** A contract's details: what a ticket and a chart need (docs/api.md, GET /contract). */
export interface Contract extends ListedContract {
  max_limit_order_volume: number
  max_market_order_volume: number
  expire_date: string
  limit_up: number
  limit_down: number
  pre_settlement_price: number
  [key: string]: unknown
}

export const useContracts = defineAccountStore('contracts', ({ api, socket }) => {
  const list = shallowRef<ListedContract[]>([])
  const bySymbol = computed(() => new Map(list.value.map((contract) => [contract.local_symbol, contract])))
  const details = reactive(new Map<string, Contract>())

  async function load(): Promise<void> {
    list.value = (await api.data<{ contracts: ListedContract[] }>('GET', 'contract')).contracts
  }

  /** A contract's details, asked once a day. Raises ApiError or NoAnswer. */
  async function detail(symbol: string): Promise<Contract> {
    const known = details.get(symbol)
    if (known) return known
    const contract = await api.data<Contract>('GET', 'contract', { symbol })
    details.set(symbol, contract)
    return contract
  }

  // The gateway tells the list anew with each trading day and each load.
  socket.on('contract', () => {
    details.clear()
    void load().catch(() => {})
  })

  return { list, bySymbol, details, load, detail }
})
