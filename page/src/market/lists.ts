/** Which contracts a tab of the quote list has. */
import type { ListedContract, Tick } from '@/api/rows'

export const EXCHANGES = ['SHFE', 'DCE', 'CZCE', 'CFFEX', 'INE', 'GFEX'] as const
export type ListTab = 'favourites' | 'main' | 'all' | (typeof EXCHANGES)[number]
export const TABS: readonly ListTab[] = ['favourites', 'main', 'all', ...EXCHANGES]

/** The favourites in the trader's own order; one that has expired is left out, and comes to no harm. */
export function favouritesOf(bySymbol: ReadonlyMap<string, ListedContract>, favourites: readonly string[]) {
  return favourites.flatMap((symbol) => bySymbol.get(symbol) ?? [])
}

export function byProduct(list: readonly ListedContract[]): Map<string, ListedContract[]> {
  const products = new Map<string, ListedContract[]>()
  for (const contract of list) {
    const key = `${contract.product}.${contract.exchange}`
    const months = products.get(key)
    if (months) months.push(contract)
    else products.set(key, [contract])
  }
  return products
}

/**
 * One contract a product: the one of most open interest, as far as quotes are there. A product without any has
 * its nearest month in its place, and is not among the `sure`.
 */
export function mainContracts(list: readonly ListedContract[], ticks: ReadonlyMap<string, Tick>) {
  const main: ListedContract[] = []
  const sure = new Set<string>()
  for (const months of byProduct(list).values()) {
    let best = months[0]!
    let most = -1
    for (const contract of months) {
      const held = ticks.get(contract.local_symbol)?.open_interest ?? -1
      if (held > most) [best, most] = [contract, held]
    }
    main.push(best)
    if (months.every((contract) => ticks.has(contract.local_symbol))) sure.add(best.local_symbol)
  }
  return { main, sure }
}

/** `favourites` with this one moved by so many places, staying inside. */
export function moved(favourites: readonly string[], symbol: string, by: number): string[] {
  const at = favourites.indexOf(symbol)
  const to = Math.min(Math.max(at + by, 0), favourites.length - 1)
  if (at < 0 || to === at) return [...favourites]
  const rest = favourites.toSpliced(at, 1)
  return rest.toSpliced(to, 0, symbol)
}

export function toggled(favourites: readonly string[], symbol: string): string[] {
  return favourites.includes(symbol)
    ? favourites.filter((favourite) => favourite !== symbol)
    : [...favourites, symbol]
}

/** The rows in sight, with a few beyond either edge: [first, after the last). */
export function rowsInSight(scrollTop: number, height: number, row: number, count: number, spare = 4) {
  const first = Math.max(0, Math.floor(scrollTop / row) - spare)
  const end = Math.min(count, Math.ceil((scrollTop + height) / row) + spare)
  return [Math.min(first, end), end] as const
}
