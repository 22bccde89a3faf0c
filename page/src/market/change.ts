/** How far a price is from the settlement of the day before, as a quote shows it. */
import { decimals, sign } from '@/ui/format'

export interface Change {
  /** `+12`, `-0.2`; empty where there is no price. */
  points: string
  /** `+0.39%`. */
  percent: string
  way: 'up' | 'down' | ''
}

export function changeOf(last: number | undefined, base: number | undefined, tick: number): Change {
  if (!last || !base) return { points: '', percent: '', way: '' }
  const points = (last - base).toFixed(decimals(tick))
  const way = sign(Number(points))
  const mark = { up: '+', down: '-', '': '' }[way]
  const size = (text: string) => text.replace('-', '')
  return {
    points: mark + size(points),
    percent: `${mark}${size((((last - base) / base) * 100).toFixed(2))}%`,
    way,
  }
}
