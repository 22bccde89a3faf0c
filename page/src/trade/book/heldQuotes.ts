/** Quotes of what is held: asked for, whoever else does, and the newest one fetched where none comes (休市). */
import { watch } from 'vue'

import { useAccount } from '@/accounts/context'
import { ApiError, NoAnswer } from '@/api/http'
import type { Tick } from '@/api/rows'
import { useLink } from '@/link/link'
import { useQuotes } from '@/market/quotes'

export function useHeldQuotes(held: () => readonly string[]): void {
  const { api } = useAccount()
  const link = useLink()
  const { board, subscribe } = useQuotes()

  /** What has no quote yet gets the gateway's newest; one that came meanwhile is newer. */
  async function fetch(symbol: string): Promise<void> {
    const tick = await api.data<Tick>('GET', 'tick', { symbol })
    if (!board.ticks.has(symbol)) board.take([tick])
  }

  async function ask(symbols: readonly string[]): Promise<void> {
    try {
      if (!link.noQuotes) await subscribe(symbols)
      for (const symbol of symbols) if (!board.ticks.has(symbol)) await fetch(symbol)
    } catch (error) {
      // No quote is there to be shown; why not, the banner says.
      if (!(error instanceof ApiError || error instanceof NoAnswer)) throw error
    }
  }

  watch(
    [() => [...new Set(held())].join(), () => link.noQuotes],
    ([symbols]) => symbols && !link.cut && void ask(symbols.split(',')),
    { immediate: true },
  )
}
