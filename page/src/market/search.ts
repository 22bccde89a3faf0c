/** Finding contracts: by code, Chinese name, pinyin initials. */
import type { ListedContract } from '@/api/rows'

import { initialsOf } from './initials'

/** Those that all of the query's words fit, in the list's order; the ones that begin so come first. */
export function found(list: readonly ListedContract[], query: string): readonly ListedContract[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return list
  const first: ListedContract[] = []
  const rest: ListedContract[] = []
  for (const contract of list) {
    const places = words.map((word) => place(contract, word))
    if (places.includes(-1)) continue
    ;(places[0] === 0 ? first : rest).push(contract)
  }
  return [...first, ...rest]
}

/** Where in the contract's code, name or initials the word stands; -1 where it does not. */
function place({ symbol, name, product }: ListedContract, word: string): number {
  const month = symbol.slice(product.length)
  const places = [symbol.toLowerCase(), name.toLowerCase(), initialsOf(product) + month]
    .map((text) => text.indexOf(word))
    .filter((at) => at >= 0)
  return places.length ? Math.min(...places) : -1
}

/** The next contract from `at` on (wrapping round) whose code or initials begin with what was typed; -1: none. */
export function jump(list: readonly ListedContract[], typed: string, at: number): number {
  const text = typed.toLowerCase()
  for (let step = 0; step < list.length; step++) {
    const index = (at + step) % list.length
    const { symbol, product } = list[index]!
    if (symbol.toLowerCase().startsWith(text) || initialsOf(product).startsWith(text)) return index
  }
  return -1
}
