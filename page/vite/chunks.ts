/**
 * Which modules share a file. Left alone, every module that two screens have in common has a file of its own: the
 * trading screen came in thirty, each with its own beginning of a dictionary when it is packed, 7 kB in all.
 */
import type { Rolldown } from 'vite'

type Graph = { getModuleInfo(id: string): Rolldown.ModuleInfo | null }

const FIRST = '/src/main.ts'
const BEHIND_LOGIN = '/src/accounts/AccountScreen.vue'
const TRADE = '/src/pages/Trade.vue'
/** What the trading screen has in common with these comes with what is behind the login. */
const OTHERS = ['Strategies', 'Backtest', 'Risk', 'Account', 'Settings'].map(
  (name) => `/src/pages/${name}.vue`,
)
const CHART = /\/klinecharts\/|\/src\/(chart\/|market\/bar)/

export function chunkName(root: string) {
  const known = new Map<string, Set<string>>()
  function within(graph: Graph, entry: string): Set<string> {
    const found = known.get(entry) ?? new Set<string>()
    if (known.has(entry)) return found
    known.set(entry, found)
    const waiting = [root + entry]
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (found.has(id)) continue
      found.add(id)
      waiting.push(...(graph.getModuleInfo(id)?.importedIds ?? []))
    }
    if (found.size < 2) throw new Error(`no module ${entry}`)
    return found
  }
  return (id: string, graph: Graph): string | null => {
    const has = (entry: string) => within(graph, entry).has(id)
    if ([FIRST, BEHIND_LOGIN].some((entry) => id === root + entry)) return null // a file of its own name
    if (has(FIRST)) return 'start'
    if (has(BEHIND_LOGIN)) return 'account'
    if (!has(TRADE)) return null
    if (CHART.test(id)) return 'chart'
    return OTHERS.some(has) ? 'account' : null
  }
}
