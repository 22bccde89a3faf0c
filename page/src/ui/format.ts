/** Numbers and times as a trader reads them. */

/** A price with as many decimals as its tick has; `–` where there is none (0). */
export function price(value: number | undefined, tick = 0): string {
  return value ? value.toFixed(decimals(tick)) : '–'
}

export function decimals(tick: number): number {
  const text = String(tick)
  const dot = text.indexOf('.')
  return dot < 0 || Number.isInteger(tick) ? 0 : text.length - dot - 1
}

const yuan = new Intl.NumberFormat('zh-CN', {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
  signDisplay: 'negative',
})
export function money(value: unknown): string {
  return typeof value === 'number' ? yuan.format(value) : '–'
}

/** `+12.00`, `-3.00`, `0.00`. */
export function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${money(value)}`
}

export function sign(value: number): 'up' | 'down' | '' {
  return value > 0 ? 'up' : value < 0 ? 'down' : ''
}

/** The clock time of `YYYY-MM-DD HH:MM:SS.mmm`; empty where no time was said. */
export function clock(moment: string | null): string {
  return moment?.slice(11, 19) ?? ''
}

/** `12.34%` of 0.1234. */
export function percent(value: unknown): string {
  return typeof value === 'number' ? `${(value * 100).toFixed(2)}%` : '–'
}
