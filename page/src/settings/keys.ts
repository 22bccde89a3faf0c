/** The eight keys of /config as a form holds them: text, as an input and a select do. */
export const KEYS = [
  'REFRESH_INTERVAL',
  'INSTRUMENT_INDEPEND',
  'SLIPPAGE_BUY',
  'SLIPPAGE_SHORT',
  'SLIPPAGE_COVER',
  'SLIPPAGE_SELL',
  'CLOSE_PATTERN',
  'SHARED_FUNC',
] as const
export type Key = (typeof KEYS)[number]
export type Config = Record<Key, number | boolean | string>
export type Form = Record<Key, string>

/** What may be chosen, of the keys that are no number. */
export const CHOICES = {
  INSTRUMENT_INDEPEND: { 1: 'on', 0: 'off' },
  CLOSE_PATTERN: { today: 'today', yesterday: 'yesterday' },
  SHARED_FUNC: { 1: 'on', 0: 'off' },
} as const

export function asForm(config: Config): Form {
  const texts = KEYS.map((key) => {
    const value = config[key]
    return [key, typeof value === 'boolean' ? (value ? '1' : '0') : String(value)]
  })
  return Object.fromEntries(texts)
}

/** Those that were changed: what is not touched here, another page may have changed. */
export function changes(kept: Form, form: Form): Partial<Form> {
  return Object.fromEntries(KEYS.filter((key) => kept[key] !== form[key]).map((key) => [key, form[key]]))
}
