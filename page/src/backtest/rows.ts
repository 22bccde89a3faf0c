/** The rows of /backtest by the names that the screen uses. Their shapes are generated: api/types.ts. */
import type { BacktestRow, BacktestData, Backtests, StrategyParameters } from '@/api/types'

import type { Figures } from './result'

export type Value = string | number | boolean
export type Values = Record<string, Value>

export type Job = BacktestRow & { parameters: Values }
export type JobState = BacktestRow['state']
export type Kept = Omit<Backtests, 'jobs'>
export type Parameter = StrategyParameters['parameters'][number]
export type DataThere = BacktestData
export type BarsThere = BacktestData['store'][number]

export interface Compared {
  row: Job
  figures: Figures
  days: { trading_day: string; balance: number }[]
}

export const isOpen = ({ state }: Pick<Job, 'state'>): boolean => state === '排队' || state === '运行'
