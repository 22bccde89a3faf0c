/** A job in words: what it is over, how far it is. Pure but for the language. */
import { t } from '@/i18n'

import { dayText, duration } from './figures'
import type { Job, Values } from './rows'
import { shown } from './form'

/** `rb2401.SHFE、m2405.DCE`, or the files' own. */
export function overOf({ contracts, main, files }: Pick<Job, 'contracts' | 'main' | 'files'>): string {
  const named = [...contracts, ...main.map((product) => t('backtest.mainOf', { product }))]
  const shownOnes = named.length ? named : files
  const more = shownOnes.length - 3
  return shownOnes.slice(0, 3).join('、') + (more > 0 ? ` ${t('backtest.andMore', { count: more })}` : '')
}

export function spanOf({ start, end }: Pick<Job, 'start' | 'end'>): string {
  return start || end ? `${dayText(start) || '…'} – ${dayText(end) || '…'}` : t('backtest.allDays')
}

export function parametersOf(values: Values): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${shown(value)}`)
    .join(' ')
}

/** What a job that is not over says of itself, in parts. */
export function progressOf({
  state,
  place,
  progress,
  by,
}: Pick<Job, 'state' | 'place' | 'progress' | 'by'>): string[] {
  if (state === '排队') return [place ? t('backtest.place', { place }) : t('backtest.queued')]
  if (!progress) return [t('backtest.starting')]
  const { stage, trading_day: day, rate, rest, units, units_done: done } = progress
  return [
    stage === 'reading' ? t('backtest.reading') : '',
    units > 1 ? t('backtest.trials', { done, units }) : '',
    stage === 'running' && day ? dayText(day) : '',
    rate > 0
      ? t(by === 'ticks' ? 'backtest.tickRate' : 'backtest.rate', {
          rate: Math.round(rate).toLocaleString('zh-CN'),
        })
      : '',
    rest === null ? '' : t('backtest.rest', { time: duration(rest) }),
  ].filter(Boolean)
}
