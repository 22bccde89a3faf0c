/** The rows of /backtest, as docs/api.md has them. */
import type { RunSettings } from './result'

export type JobState = '排队' | '运行' | '完成' | '失败' | '已取消'
export type Value = string | number | boolean | null | Value[]
export type Values = Record<string, Value>

export interface Progress {
  stage: 'reading' | 'running'
  percent: number
  trading_day: string
  /** Bars or ticks a second. */
  rate: number
  /** Seconds that are left; null: not known. */
  rest: number | null
  units: number
  units_done: number
}

export interface JobError {
  message: string
  code: string
  /** Of the strategy's text, 0: none. */
  line: number
  strategy: string
  traceback: string
}

export interface Job {
  id: string
  title: string
  kind: 'run' | 'search'
  state: JobState
  strategy: string
  /** 0: a text that was never saved. */
  version: number
  contracts: string[]
  main: string[]
  by: 'bars' | 'ticks'
  files: string[]
  start: string
  end: string
  capital: number
  parameters: Values
  fills: RunSettings['fills']
  rates: boolean
  search: Record<string, unknown> | null
  created: string
  started: string
  ended: string
  /** In the queue, from 1; 0: not in it. */
  place: number
  progress: Progress | null
  error: JobError | null
  figures: Record<string, unknown> | null
  warnings: string[]
  size: number
}

export interface JobList {
  jobs: Job[]
  most_kept: number
  kept_bytes: number
  most_bytes: number
  at_once: number
}

export interface Parameter {
  name: string
  default: Value
  type: 'int' | 'float' | 'str' | 'text' | 'bool' | 'list' | 'null'
  line: number
}

export interface BarsThere {
  local_symbol: string
  first: string
  last: string
  count: number
}

export interface DataThere {
  store: BarsThere[]
  files: { name: string; size: number; modified: string }[]
}

export interface Compared {
  row: Job
  figures: Record<string, unknown>
  days: { trading_day: string; balance: number }[]
}

export const isOpen = ({ state }: Pick<Job, 'state'>): boolean => state === '排队' || state === '运行'
