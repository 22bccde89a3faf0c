/** The order that is being made: what the ticket shows, the depth and the hotkeys set, and a press sends. */
import { computed, reactive, ref, shallowRef, watch, type ShallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import type { Direction, Offset, OrderType, Tick } from '@/api/rows'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useContracts } from '@/market/contracts'
import { useQuotes } from '@/market/quotes'
import { useRiskStates } from '@/risk/states'
import { useBook } from '@/stores/book'
import { useWorkspace } from '@/stores/workspace'

import * as rules from './rules'
import type { OrderWish } from './sent'

export const useTicket = defineAccountStore('ticket', (context) => {
  const { workspace } = useWorkspace(context)
  const contracts = useContracts(context)
  const { board } = useQuotes(context)
  const book = useBook(context)
  const link = useLink(context)
  const risk = useRiskStates(context)

  const form = reactive({
    offset: '开' as Offset,
    type: '限价' as OrderType,
    lots: '1',
    mode: 'opponent' as rules.PriceMode,
    /** As typed, while the mode is fixed. */
    price: '',
    /** Which side Enter sends; '' as long as none was chosen. */
    side: '' as Direction | '',
  })
  const failure = ref('')
  const symbol = computed(() => workspace.symbol)
  const contract = computed(() => contracts.details.get(symbol.value))
  const source = shallowRef<Readonly<ShallowRef<Tick | undefined>>>()
  const tick = computed(() => source.value?.value)
  const limits = computed(() => rules.limitsOf(tick.value, contract.value))

  watch(
    symbol,
    (now, before) => {
      if (before) board.release(before)
      source.value = now ? board.watch(now) : undefined
      Object.assign(form, { offset: '开', type: '限价', mode: 'opponent', price: '', side: '', lots: '1' })
    },
    { immediate: true },
  )
  // The details go with each new trading day, and are asked for again.
  watch(
    [symbol, contract, () => link.cut],
    () => {
      if (!symbol.value || contract.value || link.cut) return
      contracts.detail(symbol.value).then(
        () => (failure.value = ''),
        (error) => (failure.value = wordsOf(error, t('common.silence'))),
      )
    },
    { immediate: true },
  )

  /** The price that an order of this side would have now; NaN where there is none. */
  function priceOf(direction: Direction): number {
    if (form.mode === 'fixed') return form.price.trim() ? Number(form.price) : NaN
    return rules.followed(form.mode, direction, tick.value, limits.value) || NaN
  }

  function wish(direction: Direction, mode?: 'opponent' | 'queue'): OrderWish {
    const price = mode ? rules.followed(mode, direction, tick.value, limits.value) || NaN : priceOf(direction)
    const type = mode ? '限价' : form.type
    const { offset } = form
    const order = { local_symbol: symbol.value, direction, offset, type, volume: lots() }
    return type === '市价' ? order : { ...order, price }
  }

  function lots(): number {
    return form.lots.trim() ? Number(form.lots) : NaN
  }

  function closable(direction: Direction, offset = form.offset): number {
    return rules.closable(book.positions, book.working, symbol.value, direction, offset)
  }

  function problems(order: OrderWish): rules.Problems {
    if (!contract.value) return {}
    const most = closable(order.direction, order.offset)
    return rules.problemsOf(order, contract.value, limits.value, most)
  }

  /** Why this order cannot be sent now; empty when it can. A price that follows needs a quote of now. */
  function whyNot(order: OrderWish, follows = form.mode !== 'fixed' && order.type !== '市价'): string {
    const stopped = link.noTrade || risk.whyNot(order.offset)
    if (stopped) return stopped
    if (!contract.value) return failure.value || t('ticket.contractLoading')
    if (follows && (link.noQuotes || board.isAged(symbol.value))) return link.noQuotes || t('market.stale')
    const { type, price, volume } = problems(order)
    const first = type ?? price ?? volume
    return first ? t(first.key, first.values) : ''
  }

  /** A level of the depth was chosen: its price, for the side that would meet it. */
  function take(price: number, direction: Direction): void {
    if (form.type === '市价') form.type = '限价'
    Object.assign(form, { mode: 'fixed', price: String(price), side: direction })
  }

  function stepPrice(by: number): void {
    const tickSize = contract.value?.pricetick
    const from = priceOf(form.side || '多') || tick.value?.last_price || limits.value.lower
    if (!tickSize || !from) return
    Object.assign(form, { mode: 'fixed', price: String(rules.stepped(from, tickSize, by)) })
  }

  function stepLots(by: number): void {
    form.lots = String(Math.max(1, (Math.trunc(lots()) || 0) + by))
  }

  return {
    form,
    symbol,
    contract,
    tick,
    limits,
    failure,
    priceOf,
    wish,
    closable,
    problems,
    whyNot,
    take,
    stepPrice,
    stepLots,
  }
})
