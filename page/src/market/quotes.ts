/**
 * Quotes: a plain Map that every tick goes into, and one flush a frame for what is in sight. Nothing here is
 * reactive but the rows that somebody watches: 500 contracts at 2 a second cost a tenth of the main thread.
 */
import { markRaw, onScopeDispose, shallowRef, triggerRef, type ShallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import type { Tick } from '@/api/rows'

interface Watched {
  ref: ShallowRef<Tick | undefined>
  watchers: number
}

export class QuoteBoard {
  readonly ticks = new Map<string, Tick>()
  private readonly watched = new Map<string, Watched>()
  private readonly changed = new Set<string>()
  /** What has not been heard of since the line was cut. */
  private aged = new Set<string>()
  /** The newest trading day that any quote was of. */
  private day = ''
  private frame = 0

  /** Take ticks in; what is watched is shown with the next frame, and while the page is hidden not at all. */
  take(ticks: readonly Tick[]): void {
    for (const tick of ticks) {
      this.ticks.set(tick.local_symbol, tick)
      this.changed.add(tick.local_symbol)
      if (this.aged.size) this.aged.delete(tick.local_symbol)
      if (tick.trading_day > this.day) this.day = tick.trading_day
    }
    if (this.changed.size && !this.frame) this.frame = requestAnimationFrame(() => this.flush())
  }

  private flush(): void {
    this.frame = 0
    for (const symbol of this.changed) {
      const row = this.watched.get(symbol)
      if (!row) continue
      row.ref.value = this.ticks.get(symbol)
      triggerRef(row.ref)
    }
    this.changed.clear()
  }

  /** The newest tick of a contract, by the frame. Give it back with `release`. */
  watch(symbol: string): Readonly<ShallowRef<Tick | undefined>> {
    let row = this.watched.get(symbol)
    if (!row) {
      row = { ref: shallowRef(this.ticks.get(symbol)), watchers: 0 }
      this.watched.set(symbol, row)
    }
    row.watchers += 1
    return row.ref
  }

  release(symbol: string): void {
    const row = this.watched.get(symbol)
    if (row && --row.watchers <= 0) this.watched.delete(symbol)
  }

  /** The line is cut: what is here is of before, until it is heard of again. */
  age(): void {
    this.aged = new Set(this.ticks.keys())
  }

  /** Whether the contract's quote is of before a cut, or of an earlier trading day. */
  isAged(symbol: string): boolean {
    return this.aged.has(symbol) || (this.ticks.get(symbol)?.trading_day ?? this.day) < this.day
  }

  close(): void {
    cancelAnimationFrame(this.frame)
  }
}

export const useQuotes = defineAccountStore('quotes', ({ api, socket, onClose }) => {
  const board = new QuoteBoard()
  const asked = new Set<string>()
  socket.on('ticks', (ticks) => board.take(ticks))
  socket.on('disconnect', () => {
    asked.clear()
    board.age()
  })
  onClose(() => board.close())

  /** Ask the counter for these contracts' quotes; what was asked for already is not asked again. */
  async function subscribe(symbols: readonly string[]): Promise<void> {
    const fresh = symbols.filter((symbol) => !asked.has(symbol))
    if (!fresh.length) return
    fresh.forEach((symbol) => asked.add(symbol))
    try {
      await api.call('POST', 'market', { symbol: fresh.join(',') })
    } catch (error) {
      fresh.forEach((symbol) => asked.delete(symbol))
      throw error
    }
  }

  return { board: markRaw(board), subscribe }
})

/** The newest tick of one contract while the component lives. */
export function useQuote(board: QuoteBoard, symbol: string): Readonly<ShallowRef<Tick | undefined>> {
  const tick = board.watch(symbol)
  onScopeDispose(() => board.release(symbol))
  return tick
}
