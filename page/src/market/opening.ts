/** The contract that is in view before any is chosen: a terminal begins with one. */
import { computed, onScopeDispose, watch } from 'vue'

import type { ListedContract } from '@/api/rows'
import { useBook } from '@/stores/book'
import { useWorkspace } from '@/stores/workspace'

import { useContracts } from './contracts'
import { byProduct, mainContracts } from './lists'
import { useQuotes } from './quotes'
import { useSubscription } from './subscription'

/** Products of which much is traded on any day, for who has never opened one: only a beginning. */
const BUSY = ['rb.SHFE', 'm.DCE', 'TA.CZCE', 'IF.CFFEX']
/** So long the quotes of all months are waited for; without them the first with a quote is taken, or the nearest. */
const WAIT_MS = 2000
const LOOK_MS = 100
const LAST = 'ctpbee.lastSymbol'

/** All months of the product to begin with: that of the contracts that were in view before, or a busy one. */
export function monthsToOpen(list: readonly ListedContract[], before: readonly string[]): ListedContract[] {
  const products = byProduct(list)
  const known = [...before.map(productOf), ...BUSY]
  const found = known.map((product) => products.get(product)).find((months) => months)
  return found ?? products.values().next().value ?? []
}

/** rb2610.SHFE is of rb.SHFE. */
function productOf(symbol: string): string {
  return symbol.replace(/^([A-Za-z]+)[^.]*/, '$1')
}

/** Opens one where none is open, or the one that was has expired. What the trader chooses meanwhile stays. */
export function useOpening(): void {
  const contracts = useContracts()
  const book = useBook()
  const { board } = useQuotes()
  const { workspace } = useWorkspace()
  let timer: ReturnType<typeof setInterval> | undefined

  const isOpen = computed(() => contracts.bySymbol.has(workspace.symbol))
  const months = computed(() =>
    isOpen.value
      ? []
      : monthsToOpen(contracts.list, [workspace.symbol, localStorage.getItem(LAST) ?? ''].filter(Boolean)),
  )
  useSubscription(() => months.value.map(({ local_symbol }) => local_symbol))

  function choose(isLate: boolean): void {
    const held = book.positions.find(({ local_symbol }) => contracts.bySymbol.has(local_symbol))
    const { main, sure } = mainContracts(months.value, board.ticks)
    const own = workspace.symbol ? undefined : held?.local_symbol
    const best = own ?? (isLate || sure.size ? main[0]?.local_symbol : undefined)
    if (best && !isOpen.value) workspace.symbol = best
  }

  watch(months, begin, { immediate: true })
  function begin(): void {
    clearInterval(timer)
    if (!months.value.length) return
    const end = Date.now() + WAIT_MS
    timer = setInterval(() => choose(Date.now() >= end), LOOK_MS)
  }
  watch(isOpen, (now) => now && localStorage.setItem(LAST, workspace.symbol), { immediate: true })
  onScopeDispose(() => clearInterval(timer))
}
