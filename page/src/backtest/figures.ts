/** What a run's figures are called and how each is written. Pure. */
import type { TextKey } from '@/i18n'
import { money, percent } from '@/ui/format'

type Kind = 'yuan' | 'share' | 'ratio' | 'count' | 'time'

export interface FigureRow {
  key: string
  label: TextKey
  kind: Kind
  /** Which is the better one: more or less. 0: neither. */
  better: 1 | -1 | 0
}

const row = (key: string, kind: Kind, better: 1 | -1 | 0 = 0): FigureRow => ({
  key,
  label: `backtest.f_${key}` as TextKey,
  kind,
  better,
})

export const PARTS: readonly { title: TextKey; rows: readonly FigureRow[] }[] = [
  {
    title: 'backtest.profits',
    rows: [
      row('net_profit', 'yuan', 1),
      row('net_profit_closed', 'yuan', 1),
      row('open_profit', 'yuan'),
      row('return', 'share', 1),
      row('annual_return', 'share', 1),
      row('commission', 'yuan', -1),
      row('slippage_cost', 'yuan', -1),
      row('turnover', 'yuan'),
    ],
  },
  {
    title: 'backtest.risks',
    rows: [
      row('max_drawdown', 'yuan', -1),
      row('max_drawdown_share', 'share', -1),
      row('volatility', 'share', -1),
      row('sharpe', 'ratio', 1),
      row('sortino', 'ratio', 1),
      row('calmar', 'ratio', 1),
      row('margin_peak', 'yuan', -1),
      row('margin_peak_share', 'share', -1),
      row('exposure', 'share'),
    ],
  },
  {
    title: 'backtest.trips',
    rows: [
      row('trading_days', 'count'),
      row('trades', 'count'),
      row('round_trips', 'count'),
      row('win_rate', 'share', 1),
      row('profit_factor', 'ratio', 1),
      row('expectancy', 'yuan', 1),
      row('average_win', 'yuan', 1),
      row('average_loss', 'yuan', 1),
      row('average_holding_seconds', 'time'),
    ],
  },
]

/** A figure by its name; one that is not known is a plain number. */
export function figureOf(key: string): FigureRow {
  const all = PARTS.flatMap(({ rows }) => rows)
  return all.find((one) => one.key === key) ?? row(key, 'ratio')
}

/** Those that a server of this age counts. */
export const shownOf = (rows: readonly FigureRow[], figures: Record<string, unknown>) =>
  rows.filter(({ key }) => key in figures)

const counts = new Intl.NumberFormat('zh-CN', { maximumFractionDigits: 0 })

/** `—` of what cannot be counted: no trades, no losses. */
export function written(value: unknown, kind: Kind): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '—'
  if (kind === 'yuan') return money(value)
  if (kind === 'share') return percent(value)
  if (kind === 'count') return counts.format(value)
  if (kind === 'ratio') return value.toFixed(3)
  return duration(value)
}

/** `3:05:00` of seconds; a day and more has its days before: `2d 03:05`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const [days, hours] = [Math.floor(whole / 86_400), Math.floor(whole / 3600)]
  if (days) return `${days}d ${two((whole % 86_400) / 3600)}:${two((whole % 3600) / 60)}`
  return `${hours ? `${hours}:` : ''}${hours ? two((whole % 3600) / 60) : Math.floor(whole / 60)}:${two(whole % 60)}`
}

/** Red or green of what is won or lost; nothing of the rest. */
export function looks({ key, kind }: FigureRow, value: unknown): string {
  const tells = kind === 'yuan' && /profit|expectancy|win$|loss$/.test(key)
  if ((!tells && !/return$/.test(key)) || typeof value !== 'number' || !value) return ''
  return value > 0 ? 'up' : 'down'
}

/** Which of several runs has the best of a figure; none where all have the same or few can be counted. */
export function bestOf({ better }: FigureRow, values: readonly unknown[]): number {
  const numbers = values.map((value) => (typeof value === 'number' ? value * better : Number.NaN))
  const there = numbers.filter((value) => !Number.isNaN(value))
  if (!better || there.length < 2 || Math.min(...there) === Math.max(...there)) return -1
  return numbers.indexOf(Math.max(...there))
}

/** `2024-01-31` of `20240131`. */
export const dayText = (day: string): string =>
  day ? `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}` : ''
