/** The chart's colours, from tokens.css as it is now: a canvas does not follow CSS by itself. */
import type { DeepPartial, Styles } from 'klinecharts'

export interface Colours {
  up: string
  down: string
  text: string
  muted: string
  line: string
  panel: string
  accent: string
  unsure: string
  /** Lines of indicators, in their order. */
  lines: string[]
}

export function colours(): Colours {
  const style = getComputedStyle(document.documentElement)
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim()
  return {
    up: of('up'),
    down: of('down'),
    text: of('text'),
    muted: of('muted'),
    line: of('line'),
    panel: of('panel'),
    accent: of('accent'),
    unsure: of('unsure'),
    lines: [1, 2, 3, 4, 5].map((n) => of(`line-${n}`)),
  }
}

export function stylesOf(c: Colours, area: boolean): DeepPartial<Styles> {
  const axis = {
    axisLine: { color: c.line },
    tickLine: { color: c.line },
    tickText: { color: c.muted, size: 11 },
  }
  const label = { color: c.panel, backgroundColor: c.muted, borderColor: c.muted, size: 11 }
  const cross = { line: { color: c.muted }, text: label }
  const bars = { upColor: c.up, downColor: c.down, noChangeColor: c.muted }
  const mark = { color: c.muted }
  const tooltip = { title: { color: c.text, size: 11 }, legend: { color: c.text, size: 11 } }
  return {
    grid: { horizontal: { color: c.line, style: 'dashed' }, vertical: { show: false } },
    candle: {
      type: area ? 'area' : 'candle_solid',
      bar: {
        ...bars,
        upBorderColor: c.up,
        downBorderColor: c.down,
        noChangeBorderColor: c.muted,
        upWickColor: c.up,
        downWickColor: c.down,
        noChangeWickColor: c.muted,
      },
      area: { lineColor: c.accent, lineSize: 1, value: 'close', backgroundColor: 'transparent' },
      priceMark: { high: mark, low: mark, last: { ...bars, text: { size: 11, color: c.panel } } },
      tooltip,
    },
    indicator: {
      bars: [{ ...bars }],
      lines: c.lines.map((color) => ({ color, size: 1 })),
      tooltip,
    },
    xAxis: axis,
    yAxis: axis,
    separator: { color: c.line },
    crosshair: { horizontal: cross, vertical: cross },
  }
}
