/** The rows of /strategy and /code, as the page reads them (docs/api.md). */
import type { OrderRow, TradeRow } from '@/api/rows'

export type State = '停止' | '启动中' | '运行中' | '异常' | '停止中'

/** What ended it. `line` is of the version that ran, 0 where it is not known. */
export interface Failure {
  message: string
  line: number
  traceback: string
  time: string
}

export interface StrategyRow {
  name: string
  state: State
  /** The newest that was saved; 0 where none was. */
  version: number
  /** 0 where none runs. */
  running_version: number
  /** MB */
  memory: number
  started: string
  updated: string
  restarts: number
  shared: boolean
  contained: boolean
  error: Failure | null
}

/** Yuan, over restarts and days. */
export interface Profit {
  close_profit: number
  float_pnl: number
  commission: number
  net: number
}

export interface Lots {
  local_symbol: string
  direction: 'long' | 'short'
  volume: number
  [key: string]: unknown
}

export interface Version {
  version: number
  time: string
  [key: string]: unknown
}

export interface Limits {
  contracts: string[]
  max_order_volume: number
  max_position: number
  max_orders_per_minute: number
}

/** The last five are null while the account's gateway is away. */
export interface StrategyDetail extends StrategyRow {
  versions: Version[]
  orders: OrderRow[] | null
  trades: TradeRow[] | null
  positions: Lots[] | null
  profit: Profit | null
  limits: Limits | null
}

export interface StrategyLine {
  created: string
  levelname: string
  message: string
}

/** A finding of /check_code. */
export interface Problem {
  code: string
  error: string
  message: string
  line: number
  error_info: string
}

/** Whether it has a process. */
export const runs = ({ state }: StrategyRow): boolean => state !== '停止' && state !== '异常'
