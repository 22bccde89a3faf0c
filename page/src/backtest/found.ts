/** What a search has found: search.json (app/backtest/search/search.py), as the page shows it. Pure. */
import type { Value, Values } from './rows'

export type Numbers = Record<string, number | null>

export interface Best {
  number: number
  parameters: Values
  in_sample: Numbers
  /** That the true Sharpe is above 0, seeing how many were tried. */
  probability: number | null
  neighbours: { count: number; mean: number | null; least: number | null }
  /** Not there where nothing was kept apart; null while it is not run. */
  out_of_sample?: Numbers | { error: string } | null
}

export interface HeatMap {
  x: string
  /** Empty where only one parameter is searched for. */
  y: string
  xs: Value[]
  ys: Value[]
  /** `values[y][x]`: the mean over all other parameters. */
  values: (number | null)[][]
  best: (number | null)[][]
}

export interface WalkedWindow {
  train: [string, string]
  test: [string, string]
  parameters: Values | null
  in_sample: Numbers | null
  probability: number | null
  out_of_sample: Numbers | { error: string } | null
}

export interface Found {
  partial: boolean
  request: { kind: string; objective: string; out_of_sample: string }
  count: number
  done: number
  failed: number
  best: Best[]
  deflated: { probability: number; expected_best: number; trials: number; days: number } | null
  map: HeatMap[]
  walk_forward: { windows: WalkedWindow[]; days: [string, number][]; figures: Numbers | null } | null
  warnings: string[]
}

export interface Cell {
  value: number | null
  /** From 0 for the worst to 1 for the best; undefined where there is none. */
  part: number | undefined
  isBest: boolean
}

/** Beyond these parts of all values the colour is no stronger: one that stands alone does not pale the rest. */
const ENDS = [0.05, 0.95] as const

/** The cells of a map, the highest `y` on top. */
export function cellsOf(values: readonly (readonly (number | null)[])[]): Cell[][] {
  const all = values.flat().filter((value) => value !== null).sort((a, b) => a - b) // prettier-ignore
  const [low, high] = ENDS.map((part) => all[Math.round(part * (all.length - 1))]!) as [number, number]
  const most = all.at(-1)
  const part = (value: number) => (high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5)
  return values
    .map((row) =>
      row.map((value): Cell => {
        const isBest = value === most && all[0] !== most
        return { value, part: value === null ? undefined : part(value), isBest }
      }),
    )
    .toReversed()
}

/** A figure out of the sample; the error's text where it failed. */
export function outOf(
  best: Pick<Best, 'out_of_sample'>,
  objective: string,
): number | null | string | undefined {
  const out = best.out_of_sample
  if (!out) return undefined
  return 'error' in out ? String(out.error) : (out[objective] ?? null)
}
