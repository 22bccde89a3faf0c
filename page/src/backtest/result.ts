/** A run's result.json (docs/backtest.md), as the report shows it. Pure. */
import { ownFills, type OwnFill } from '@/chart/lines'
import { BarSeries, type Bar, type Interval } from '@/market/bars'
import { SeriesFeed } from '@/market/barStore'
import { decimals } from '@/ui/format'

export type Side = '多' | '空'

export interface Fill {
  trading_day: string
  /** Naive exchange time, `YYYY-MM-DD HH:MM:SS`. */
  moment: string
  symbol: string
  side: Side
  offset: string
  volume: number
  price: number
  multiplier: number
  commission: number
  strategy: string
}

export interface RunOrder {
  trading_day: string
  order_id: string
  strategy: string
  symbol: string
  direction: Side
  offset: string
  type: string
  price: number
  volume: number
  traded: number
  status: string
  status_msg: string
  error_code: string
  error_message: string
  datetime: string
}

export interface NotSent {
  time: string
  strategy: string
  symbol: string
  price: number
  volume: number
  reason: string
}

export interface Group {
  net: number
  lots: number
  round_trips: number
  win_rate: number | null
  profit_factor: number | null
}

export interface Drawdown {
  peak_day: string
  lowest_day: string
  recovered_day: string
  days_under_water: number
}

export type Figures = Record<string, unknown> & {
  drawdown: Drawdown
  by_contract: Record<string, Group>
  by_side: Record<string, Group>
  by_month: Record<string, { net: number; return: number | null }>
}

export interface RunSettings {
  version: string
  capital: number
  strategies: Record<string, string>
  contracts: string[]
  by: 'bars' | 'ticks'
  data: Record<string, string>
  first: string
  last: string
  fills: {
    latency_ms: number | null
    spread_ticks: number
    slippage_ticks: number
    participation: number
  }
  rates: string
  year_days: number
}

/** From the trading day on, its night before, the main contract was another; figures are of the day before. */
export interface Roll {
  trading_day: string
  old: string
  new: string
  old_close: number
  new_close: number
  difference: number
  old_open_interest: number
  new_open_interest: number
}

export interface Result {
  settings: RunSettings
  figures: Figures
  warnings: string[]
  days: { trading_day: string; balance: number }[]
  /** `[moment, balance, margin]` */
  equity: [string, number, number][]
  /** By local symbol; rows `[ms, open, high, low, close, volume]`. */
  candles: Record<string, { interval: Interval; rows: number[][] }>
  trades: Fill[]
  orders: RunOrder[]
  not_sent: NotSent[]
  /** Of main contracts. */
  continuous?: { products: Record<string, { rolls: Roll[] }> }
}

/** The candles of a contract, for the chart. Nothing is asked of the server. */
export function feedOf(symbol: string, { interval, rows }: Result['candles'][string]): SeriesFeed {
  const series = new BarSeries(interval)
  return new SeriesFeed(symbol, series, async () =>
    interval === '1d' ? rows.map((row) => [...row, beijingDay(row[0]!)]) : rows,
  )
}

/** `YYYYMMDD` in Beijing of a moment in ms. */
export function beijingDay(moment: number): string {
  return new Date(moment + 8 * 3600_000).toISOString().slice(0, 10).replaceAll('-', '')
}

/** How far each value is below the highest so far, as a share: 0 or less. */
export function fallsOf(values: readonly number[]): number[] {
  let peak = 0
  return values.map((value) => {
    peak = Math.max(peak, value)
    return peak > 0 ? value / peak - 1 : 0
  })
}

export interface Month {
  net: number
  return: number | null
}

export interface Year {
  year: string
  /** January first; undefined where the run was not there. */
  months: (Month | undefined)[]
  whole: Month
}

/** The months by years. A year's return is its months' compounded, as far as all of them have one. */
export function yearsOf(months: Figures['by_month']): Year[] {
  const years = new Map<string, Year>()
  for (const [month, of] of Object.entries(months).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = month.slice(0, 4)
    const year: Year = years.get(key) ?? { year: key, months: Array(12).fill(undefined), whole: NOTHING }
    year.months[Number(month.slice(4)) - 1] = of
    const { whole } = year
    const both = whole.return === null || of.return === null
    year.whole = {
      net: whole.net + of.net,
      return: both ? null : (1 + whole.return!) * (1 + of.return!) - 1,
    }
    years.set(key, year)
  }
  return [...years.values()]
}
const NOTHING: Month = { net: 0, return: 0 }

/** Words of the counter's that say no more than the status does. */
const SAID_BY_STATUS = ['全部成交', '部分成交', '未成交', '已撤单', '已撤销']

/** A line of the orders' table: an order, or what was not sent. */
export interface OrderLine {
  key: string
  time: string
  symbol: string
  /** Empty of what was not sent: it is no order yet. */
  direction: Side | ''
  offset: string
  price: number
  volume: number
  traded: number
  /** Empty of what was not sent. */
  status: string
  why: string
}

/** All orders and what was not sent, oldest first; `unfilled`: those without a fill alone. */
export function orderLines({ orders, not_sent }: Pick<Result, 'orders' | 'not_sent'>, unfilled: boolean) {
  const sent = orders.map((order): OrderLine => ({
    key: order.order_id,
    time: order.datetime.slice(0, 19),
    symbol: order.symbol,
    direction: order.direction,
    offset: order.offset,
    price: order.price,
    volume: order.volume,
    traded: order.traded,
    status: order.status,
    why: order.error_message || (SAID_BY_STATUS.includes(order.status_msg) ? '' : order.status_msg),
  }))
  const kept = not_sent.map((one, n): OrderLine => ({
    key: `not-sent-${n}`,
    time: one.time.replace('T', ' ').slice(0, 19),
    symbol: one.symbol,
    direction: '',
    offset: '',
    price: one.price,
    volume: one.volume,
    traded: 0,
    status: '',
    why: one.reason,
  }))
  const all = unfilled ? [...sent.filter(({ traded }) => !traded), ...kept] : [...sent, ...kept]
  return all.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
}

/** The most decimals that a price of these candles has: results do not say the tick. */
export function decimalsOf(rows: readonly (readonly number[])[]): number {
  let most = 0
  for (const [, ...prices] of rows)
    for (const price of prices.slice(0, 4)) most = Math.max(most, decimals(price))
  return Math.min(most, 4)
}

/** The trades of a contract on its candles, gathered by candle and side. */
export function fillsOn(
  localSymbol: string,
  trades: readonly Fill[],
  bars: readonly Bar[],
  interval: Interval,
): OwnFill[] {
  const symbol = localSymbol.split('.')[0]
  const own = trades
    .filter((trade) => trade.symbol === symbol)
    .map(({ moment, trading_day, side, volume, price }) => {
      const at = { datetime: moment, trading_day, direction: side }
      return { ...at, local_symbol: localSymbol, volume, price }
    })
  return ownFills(localSymbol, own, bars, interval === '1d')
}
