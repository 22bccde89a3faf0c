/** An account's own orders, positions and fills of one contract, as what the chart draws. Pure. */
import { WORKING, type OrderRow, type PositionRow, type TradeRow } from '@/api/rows'
import { t } from '@/i18n'
import type { Bar } from '@/market/bars'
import { price } from '@/ui/format'

export interface OwnLine {
  /** Of an order its id, of a position its own. */
  id: string
  kind: 'order' | 'position'
  price: number
  long: boolean
  text: string
  /** Its fate is open. */
  unsure: boolean
}

export function ownLines(
  symbol: string,
  orders: readonly OrderRow[],
  positions: readonly PositionRow[],
  pricetick: number,
): OwnLine[] {
  const working = orders.filter(
    (row) => row.local_symbol === symbol && WORKING.includes(row.status) && row.price > 0,
  )
  const held = positions.filter((row) => row.local_symbol === symbol && row.volume > 0)
  return [
    ...working.map((row) => ({
      id: row.order_id,
      kind: 'order' as const,
      price: row.price,
      long: isBuy(row),
      text: `${isBuy(row) ? t('chart.buy') : t('chart.sell')}${row.offset} ${row.volume - row.traded} @ ${price(row.price, pricetick)}`,
      unsure: row.status === '提交中' || row.status === '状态未知',
    })),
    ...held.map((row) => ({
      id: row.local_position_id,
      kind: 'position' as const,
      price: row.open_price,
      long: row.direction === 'long',
      text: `${row.direction === 'long' ? t('chart.long') : t('chart.short')} ${row.volume} ${row.float_pnl >= 0 ? '+' : ''}${row.float_pnl.toFixed(0)}`,
      unsure: false,
    })),
  ]
}

/** 多开、空平 buy; 空开、多平 sell: the direction of an order is that of the deal. */
function isBuy(row: { direction: string }): boolean {
  return row.direction === '多'
}

export interface OwnFill {
  id: string
  /** The bar's start. */
  start: number
  price: number
  buy: boolean
  text: string
}

/** As much of a fill as its mark needs. */
export type Dealt = Pick<
  TradeRow,
  'local_symbol' | 'datetime' | 'trading_day' | 'direction' | 'volume' | 'price'
>

/** Fills gathered by bar and side: lots in all, and their average price. Those before the first bar are not
 * drawn. */
export function ownFills(
  symbol: string,
  trades: readonly Dealt[],
  bars: readonly Bar[],
  daily: boolean,
): OwnFill[] {
  const groups = new Map<string, { start: number; buy: boolean; lots: number; value: number }>()
  for (const trade of trades) {
    if (trade.local_symbol !== symbol || trade.datetime === null) continue
    const start = daily ? dayBar(bars, trade.trading_day) : barAt(bars, moment(trade.datetime))
    if (start === undefined) continue
    const buy = isBuy(trade)
    const key = `${start} ${buy}`
    const group = groups.get(key) ?? { start, buy, lots: 0, value: 0 }
    group.lots += trade.volume
    group.value += trade.volume * trade.price
    groups.set(key, group)
  }
  return [...groups].map(([id, { start, buy, lots, value }]) => ({
    id,
    start,
    price: value / lots,
    buy,
    text: `${buy ? t('chart.buy') : t('chart.sell')} ${lots}`,
  }))
}

/** ms of an exchange time, `YYYY-MM-DD HH:MM:SS.mmm`, which is Beijing's. */
export function moment(text: string): number {
  return text ? Date.parse(`${text.replace(' ', 'T')}+08:00`) : Number.NaN
}

function dayBar(bars: readonly Bar[], tradingDay: string): number | undefined {
  return bars.findLast((bar) => bar.tradingDay === tradingDay)?.start
}

function barAt(bars: readonly Bar[], time: number): number | undefined {
  if (Number.isNaN(time) || !bars[0] || time < bars[0].start) return undefined
  let low = 0
  let high = bars.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (bars[middle]!.start <= time) low = middle
    else high = middle - 1
  }
  return bars[low]!.start
}
