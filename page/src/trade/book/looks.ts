/** What the tables of orders, fills and positions have in common. */
import type { OrderRow } from '@/api/rows'
import { t } from '@/i18n'
import { useContracts } from '@/market/contracts'
import { price } from '@/ui/format'

export const directionLook = ({ direction }: { direction: string }) =>
  direction === '多' || direction === 'long' ? 'up' : 'down'

/** Who sent it: a strategy, this or another page by hand, another terminal of the account. */
export function from({ strategy, is_local = true }: { strategy: string; is_local?: boolean }): string {
  return strategy || (is_local ? t('book.byHand') : t('book.elsewhere'))
}

/** The price that was asked for. */
export function askedPrice({ type, price: asked }: Pick<OrderRow, 'type' | 'price'>, tick: number): string {
  return type === '市价' ? t('book.market') : price(asked, tick)
}

/** Prices with the decimals of their contract's tick. */
export function usePrices() {
  const contracts = useContracts()
  const tick = (symbol: string) => contracts.bySymbol.get(symbol)?.pricetick ?? 0
  return { tick, shown: (symbol: string, value: number) => price(value, tick(symbol)) }
}
