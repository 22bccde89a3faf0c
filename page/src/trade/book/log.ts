/** Which lines of the log are shown. */
import type { LogRow } from '@/api/rows'

export const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const
export type Level = (typeof LEVELS)[number]

/** Those of this level and above that have the text, whatever its case. */
export function matching(rows: readonly LogRow[], least: Level | '', text: string): readonly LogRow[] {
  const from = LEVELS.indexOf(least as Level)
  const wanted = text.trim().toLowerCase()
  return rows.filter(
    ({ levelname, owner, message }) =>
      LEVELS.indexOf(levelname as Level) >= from && `${owner} ${message}`.toLowerCase().includes(wanted),
  )
}
