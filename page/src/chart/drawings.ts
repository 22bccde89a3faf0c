/** What we draw on the chart beside KLineChart's own: lines of orders and positions, fills, days, the average. */
import { registerIndicator, registerOverlay, type KLineData } from 'klinecharts'

export interface PriceLine {
  text: string
  colour: string
  ink: string
  dashed: boolean
}

export interface FillMark {
  text: string
  colour: string
  ink: string
  /** Below the bar for what was bought, above it for what was sold. */
  below: boolean
}

export function registerDrawings(): void {
  registerOverlay<PriceLine>({
    name: 'priceLine',
    totalStep: 2,
    lock: true,
    createPointFigures: ({ overlay, coordinates, bounding }) => {
      const y = coordinates[0]?.y ?? -100
      const { text, colour, ink, dashed } = overlay.extendData
      const line = { coordinates: [{ x: 0, y }, { x: bounding.width, y }] } // prettier-ignore
      const label = { x: bounding.width - 4, y, text, align: 'right', baseline: 'middle' }
      return [
        { type: 'line', attrs: line, styles: { color: colour, style: dashed ? 'dashed' : 'solid', size: 1 } },
        { type: 'text', attrs: label, styles: { color: ink, backgroundColor: colour, size: 11 } },
      ]
    },
    createYAxisFigures: ({ overlay, chart, coordinates, bounding, yAxis }) => {
      const y = coordinates[0]?.y
      const value = overlay.points[0]?.value
      if (y === undefined || value === undefined) return []
      const text = value.toFixed(chart.getSymbol()?.pricePrecision ?? 2)
      const x = yAxis?.position === 'left' ? bounding.width : 0
      const { colour, ink } = overlay.extendData
      const attrs = { x, y, text, align: x ? 'right' : 'left', baseline: 'middle' }
      return { type: 'text', attrs, styles: { color: ink, backgroundColor: colour, size: 11 } }
    },
  })
  registerOverlay<FillMark>({
    name: 'fillMark',
    totalStep: 2,
    lock: true,
    createPointFigures: ({ overlay, coordinates }) => {
      const point = coordinates[0]
      if (!point) return []
      const { text, colour, ink, below } = overlay.extendData
      const y = point.y + (below ? 8 : -8)
      const attrs = { x: point.x, y, text, align: 'center', baseline: below ? 'top' : 'bottom' }
      const attributes = { x: point.x, y: point.y, r: text ? 3 : 2 }
      const circle = { type: 'circle', attrs: attributes, styles: { style: 'fill', color: colour } }
      if (!text) return [circle]
      return [circle, { type: 'text', attrs, styles: { color: ink, backgroundColor: colour, size: 10 } }]
    },
  })
  registerIndicator<object, number, { days: () => number[] }>({
    name: 'DAYS',
    series: 'price',
    calc: (bars) => bars.map(() => ({})),
    createTooltipDataSource: () => ({ name: '', calcParamsText: '', features: [], legends: [] }),
    draw: ({ ctx, chart, indicator, bounding, xAxis }) => {
      const days = indicator.extendData?.days() ?? []
      const { from, to } = chart.getVisibleRange()
      ctx.save()
      ctx.strokeStyle = chart.getStyles().separator.color
      ctx.setLineDash([3, 3])
      ctx.beginPath()
      const half = chart.getBarSpace().halfBar
      for (let at = Math.max(from, 1); at < to && at < days.length; at++) {
        if (days[at] === days[at - 1]) continue
        const x = Math.round(xAxis.convertToPixel(at) - half) + 0.5
        ctx.moveTo(x, 0)
        ctx.lineTo(x, bounding.height)
      }
      ctx.stroke()
      ctx.restore()
      return true
    },
  })
  registerIndicator<{ average?: number }, number, number>({
    name: 'AVG',
    shortName: '均价',
    series: 'price',
    figures: [{ key: 'average', title: '均价：', type: 'line' }],
    calc: (bars, { extendData: size }) => averages(bars, size),
  })
}

/** 分时's average line: what all lots since the day's begin cost, a lot. None once a minute has no turnover. */
export function averages(bars: readonly KLineData[], size: number): { average?: number }[] {
  let turnover = 0
  let volume = 0
  return bars.map((bar) => {
    turnover += bar.turnover ?? Number.NaN
    volume += bar.volume ?? 0
    const average = turnover / (volume * size)
    return Number.isFinite(average) ? { average } : {}
  })
}
