/** The names of the server's rows and events, as the page uses them. Their shapes are generated: types.ts. */
import type { BarUpdate, LabelledFund, OrderRow } from './types'

export type {
  BarUpdate,
  ListedContract,
  LogRow,
  OrderRow,
  PartStatus,
  PositionRow,
  SocketEvents,
  Status,
  Tick,
  TradeRow,
} from './types'

export type Direction = OrderRow['direction']
export type Offset = OrderRow['offset']
export type OrderType = OrderRow['type']

/** With the name that is shown: the page hears `account_detail`, not `account`. */
export type Fund = LabelledFund

/** `[start in ms, open, high, low, close, volume, …]` */
export type BarRow = BarUpdate['data']

/** Statuses of an order that may still trade: what a cancel is for. */
export const WORKING: readonly OrderRow['status'][] = ['提交中', '状态未知', '未触发', '未成交', '部分成交']
