/** The rows and events of docs/api.md, as the page reads them. */

export type Direction = '多' | '空'
export type Offset = '开' | '平' | '平今' | '平昨'
export type OrderType = '限价' | '市价' | 'FAK' | 'FOK'

/** Statuses of an order that may still trade: what a cancel is for. */
export const WORKING: readonly string[] = ['提交中', '状态未知', '未触发', '未成交', '部分成交']

export interface OrderRow {
  order_id: string
  local_symbol: string
  symbol: string
  exchange: string
  direction: Direction
  offset: Offset
  type: OrderType | string
  price: number
  volume: number
  traded: number
  status: string
  status_msg: string
  error_code: string
  error_message: string
  client_order_id: string
  strategy: string
  is_local: boolean
  time: string
  datetime: string
  trading_day: string
  order_sys_id: string
}

export interface TradeRow {
  trade_key: string
  tradeid: string
  order_id: string
  local_symbol: string
  symbol: string
  exchange: string
  direction: Direction
  offset: Offset
  price: number
  volume: number
  strategy: string
  forced: string
  time: string
  datetime: string
  trading_day: string
}

export interface PositionRow {
  local_position_id: string
  local_symbol: string
  symbol: string
  exchange: string
  direction: 'long' | 'short'
  volume: number
  yd_volume: number
  today_volume: number
  frozen: number
  available: number
  /** Average price by date (a position held over night: the settlement price). */
  price: number
  open_price: number
  /** Profit by date (盯市). */
  position_profit: number
  /** Profit by trade (逐笔). */
  float_pnl: number
  margin: number
}

export interface Tick {
  local_symbol: string
  symbol: string
  exchange: string
  name: string
  /** Exchange time, `YYYY-MM-DD HH:MM:SS.mmm`. */
  datetime: string
  trading_day: string
  last_price: number
  last_volume: number
  volume: number
  turnover: number
  open_interest: number
  pre_open_interest: number
  open_price: number
  high_price: number
  low_price: number
  pre_close: number
  pre_settlement_price: number
  settlement_price: number
  average_price: number
  limit_up: number
  limit_down: number
  bid_price_1: number
  bid_price_2: number
  bid_price_3: number
  bid_price_4: number
  bid_price_5: number
  ask_price_1: number
  ask_price_2: number
  ask_price_3: number
  ask_price_4: number
  ask_price_5: number
  bid_volume_1: number
  bid_volume_2: number
  bid_volume_3: number
  bid_volume_4: number
  bid_volume_5: number
  ask_volume_1: number
  ask_volume_2: number
  ask_volume_3: number
  ask_volume_4: number
  ask_volume_5: number
}

export interface Fund {
  key: string
  label: string
  value: string | number
}

export interface LogRow {
  created: string
  levelname: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | string
  owner: string
  message: string
}

export interface PartStatus {
  state: string
  reason: string
  /** Beijing time, `YYYY-MM-DD HH:MM:SS.mmm`. */
  since: string
}

export interface Status {
  td: PartStatus
  md: PartStatus
  store: PartStatus
  calendar: PartStatus
  gateway: PartStatus
}

/** `[start in ms, open, high, low, close, volume, …]` */
export type BarRow = number[]

export interface BarUpdate {
  local_symbol: string
  interval: string
  data: BarRow
  /** Of the forming minute so far, yuan and lots. */
  turnover?: number | null
  open_interest?: number | null
  trading_day: string
  /** The starts of the longer bars that this minute belongs to, by interval. */
  starts: Record<string, number>
}

export interface ListedContract {
  local_symbol: string
  symbol: string
  exchange: string
  name: string
  product: string
  product_name: string
  size: number
  pricetick: number
}
