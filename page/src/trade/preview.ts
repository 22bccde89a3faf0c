/** What the gateway says an order would freeze and how large it could be. Asked when the ticket has rested. */
import { onScopeDispose, shallowRef, watch } from 'vue'

import { useAccount } from '@/accounts/context'
import type { Direction } from '@/api/rows'
import { useBook } from '@/stores/book'

import { useTicket } from './ticket'

type Way = 'long' | 'short'
interface Lots {
  open: number | null
  close: number
  closetoday: number
  closeyesterday: number
}

export interface Preview {
  price: number
  margin: number | null
  fee: number | null
  available: number
  largest: Record<Way, Lots>
  rates: 'account' | 'listed'
}

export interface Previewed extends Preview {
  direction: Direction
  lots: number
}

const REST_MS = 300

/** The newest; undefined while what it would be of is not an order, or nobody could say. */
export function usePreview() {
  const { api } = useAccount()
  const ticket = useTicket()
  const book = useBook()
  const preview = shallowRef<Previewed>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked = 0

  async function ask(): Promise<void> {
    const direction: Direction = ticket.form.side || '多'
    const { local_symbol, offset, type, volume, price } = ticket.wish(direction)
    const turn = ++asked
    const isOrder = Number.isInteger(volume) && volume > 0 && (type === '市价' || (price ?? 0) > 0)
    if (!ticket.contract || !isOrder) {
      preview.value = undefined
      return
    }
    let answer: Previewed | undefined
    try {
      const fields = { local_symbol, direction, offset, type, volume, price }
      answer = { ...(await api.data<Preview>('GET', 'order_preview', fields)), direction, lots: volume }
    } catch {
      answer = undefined // an estimate that is not there is not shown: the banner says what is the matter
    }
    if (turn === asked) preview.value = answer
  }

  // Not by the quote: a followed price says what it was counted by. By what the trader sets, and by his fills.
  watch(
    () => [
      ...Object.values(ticket.form),
      ticket.contract?.local_symbol,
      ticket.tick !== undefined,
      book.trades.length,
      book.working.length,
    ],
    () => {
      clearTimeout(timer)
      timer = setTimeout(() => void ask(), REST_MS)
    },
    { immediate: true },
  )
  onScopeDispose(() => clearTimeout(timer))
  return preview
}
