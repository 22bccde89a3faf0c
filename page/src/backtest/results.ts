/** The results that were opened, the last few of them: a year's is some hundred kB, and none of them changes. */
import { defineAccountStore } from '@/accounts/context'

import type { Result } from './result'
import type { Compared } from './rows'

const KEPT = 4

export const useResults = defineAccountStore('backtest-results', ({ api }) => {
  const kept = new Map<string, unknown>()

  /** A run's result.json, or a search's. Raises ApiError or NoAnswer. */
  async function open<T = Result>(id: string): Promise<T> {
    const found = kept.get(id) ?? (await api.data<T>('GET', 'backtest/result', { id }))
    kept.delete(id)
    kept.set(id, found) // the newest is the last
    if (kept.size > KEPT) kept.delete(kept.keys().next().value!)
    return found as T
  }

  /** Of a search that still runs: as far as it is. Raises ApiError or NoAnswer. */
  const peek = <T>(id: string) => api.data<T>('GET', 'backtest/result', { id })

  /** In the order of the ids. Raises ApiError or NoAnswer. */
  const compare = (ids: readonly string[]) =>
    api.data<Compared[]>('GET', 'backtest/compare', { ids: ids.join(',') })

  return { open, peek, compare }
})
