/** The rows of /strategy and /check_code by the names that the screen uses. Their shapes are generated: api/types.ts. */
import type * as api from '@/api/types'

export type { Problem, Profit, StrategyRow, Version } from '@/api/types'

export type State = api.StrategyRow['state']
export type Failure = api.StrategyError
export type Lots = api.OwnedPosition
/** A line of the log, read or pushed. */
export type StrategyLine = api.LogLine

/** All four are answered, 0 or empty where nothing is limited: leaving some out is for those who set them. */
export type Limits = Required<api.Limits>
export type StrategyDetail = Omit<api.StrategyDetail, 'limits'> & { limits: Limits | null }

/** Whether it has a process. */
export const runs = ({ state }: api.StrategyRow): boolean => state !== '停止' && state !== '异常'
