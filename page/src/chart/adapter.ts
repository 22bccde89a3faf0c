/**
 * KLineChart behind one door: everything that the page asks of it is asked here, so that another version is one
 * file's work. Bars come by `feed`; it is told of a new one at most once a frame.
 */
import { dispose, init, type Chart, type KLineData, type OverlayEvent, type Point } from 'klinecharts'

import type { Bar, Interval } from '@/market/bars'
import type { SeriesFeed } from '@/market/barStore'

import { registerDrawings, type FillMark, type PriceLine } from './drawings'
import { since, toChart } from './feeding'
import { isIndicator, ON_PRICE, PARAMETERS, type IndicatorName } from './indicators'
import { colours, stylesOf } from './styles'
import { around, written } from './timeline'
import { registerChinese } from './words'

export interface ChartWish {
  symbol: string
  interval: Interval
  /** Decimals of a price. */
  decimals: number
  /** 分时: an area line of the trading day, without scrolling. */
  area: boolean
  formatTime: (timestamp: number, where: 'xAxis' | 'crosshair' | 'tooltip') => string
  /** Which of the bars are shown; all where it is left out. */
  choose?: (bars: Bar[]) => Bar[]
  /** All of them side by side at first, and no more room than they need. */
  whole?: boolean
}

export interface TimelineWish {
  /** The settlement before: the middle of the scale. */
  centre: number
  /** Minutes of the whole day: the width. */
  minutes: number
  /** Units a lot, for the average line. */
  size: number
}

/** Bars that a day of unknown length has room for at first. */
const FEWEST = 240
/** px of a bar, and beside the last one, where all are shown. */
const WIDEST = 12
const MARGIN = 12
/** px of a pane below the price. */
const BELOW_HEIGHT = 76

export interface Drawing {
  id: string
  points: { timestamp?: number; value: number }
  data: PriceLine | FillMark
  /** Where it was dragged to and let go, as a price of any decimals. Without it nothing can be dragged. */
  onDropped?: (value: number) => void
}

registerChinese()
registerDrawings()

const PERIODS: Record<Interval, { type: 'minute' | 'hour' | 'day'; span: number }> = {
  '1m': { type: 'minute', span: 1 },
  '3m': { type: 'minute', span: 3 },
  '5m': { type: 'minute', span: 5 },
  '15m': { type: 'minute', span: 15 },
  '30m': { type: 'minute', span: 30 },
  '1h': { type: 'hour', span: 1 },
  '1d': { type: 'day', span: 1 },
}

/**
 * Of the pane's height in pixels, above the highest price, which so is some 60 pixels from the top: its mark
 * stands below the legend's lines.
 */
const BELOW_LEGEND = 90

export class ChartAdapter {
  readonly chart: Chart
  private feed: SeriesFeed | undefined
  private push: ((bar: KLineData) => void) | undefined
  private frame = 0
  private last = 0
  private isSeen = false
  private wish: ChartWish | undefined
  private timeline: TimelineWish | undefined
  /** The drawing that is being dragged: it stays at the mouse, whatever is drawn meanwhile. */
  private dragged = ''

  constructor(
    private readonly element: HTMLElement,
    private readonly onFailure: (error: unknown) => void,
    private readonly onShown: () => void,
  ) {
    const layout = { barSpaceLimit: { min: 0.5, max: 60 } }
    const plain = { sign: '' } // 3065, as every terminal here writes a price
    const zone = 'Asia/Shanghai'
    const chart = init(element, { timezone: zone, zoomAnchor: 'last_bar', layout, thousandsSeparator: plain })
    if (!chart) throw new Error('no canvas')
    this.chart = chart
    chart.overrideYAxis({ paneId: 'candle_pane', gap: { top: BELOW_LEGEND } })
    // In the page's own order of the tab key, not before everything else.
    element.querySelector('[tabindex]')?.setAttribute('tabindex', '0')
  }

  /** Show this series. The view begins at its end. */
  show(feed: SeriesFeed, wish: ChartWish, locale: string): void {
    this.leave()
    this.feed = feed
    this.wish = wish
    this.chart.setLocale(locale)
    this.paint()
    this.chart.setFormatter({ formatDate: ({ timestamp, type }) => wish.formatTime(timestamp, type) })
    this.chart.setScrollEnabled(!wish.area)
    this.chart.setZoomEnabled(!wish.area)
    this.chart.setSymbol({ ticker: wish.symbol, pricePrecision: wish.decimals, volumePrecision: 0 })
    this.chart.setPeriod(PERIODS[wish.interval])
    feed.listeners.add(this.changed)
    this.chart.setDataLoader({
      getBars: ({ type, callback }) => this.load(type, callback),
      subscribeBar: ({ callback }) => (this.push = callback),
      unsubscribeBar: () => (this.push = undefined),
    })
  }

  /** The colours as tokens.css now has them. */
  paint(): void {
    this.chart.setStyles(stylesOf(colours(), this.wish?.area ?? false))
  }

  private async load(type: string, callback: (bars: KLineData[], more?: object) => void): Promise<void> {
    const feed = this.feed
    if (!feed) return
    try {
      if (type === 'forward') {
        callback((await feed.loadOlder()).map(toChart), { forward: !feed.complete })
        return
      }
      if (type === 'init') {
        await feed.load()
        if (feed !== this.feed) return // another series is shown by now
        const bars = this.bars
        this.last = bars.at(-1)?.start ?? 0
        callback(bars.map(toChart), { forward: !feed.complete && !this.wish?.choose })
        this.fit()
        this.onShown()
        return
      }
      callback([], {})
    } catch (error) {
      callback([], {})
      this.onFailure(error)
    }
  }

  private readonly changed = () => {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.flush())
  }

  /** What has come since the last frame, each bar once: the view stays where it is. */
  private flush(): void {
    this.frame = 0
    const { feed, push } = this
    if (!feed || !push) return
    const bars = this.bars
    for (const bar of bars.slice(bars.length - since(bars, this.last))) {
      push(toChart(bar))
      this.last = bar.start
    }
    this.fit()
    this.onShown()
  }

  /** The bars that are shown. */
  get bars(): Bar[] {
    const all = this.feed?.series.all ?? []
    return this.wish?.choose?.(all) ?? all
  }

  /** Have these indicators, and no others; those on the price share its pane. */
  setIndicators(names: readonly IndicatorName[]): void {
    for (const shown of this.chart.getIndicators()) {
      if (isIndicator(shown.name) && !names.includes(shown.name)) this.chart.removeIndicator({ id: shown.id })
    }
    for (const name of names) {
      if (this.chart.getIndicators({ name }).length) continue
      const onPrice = (ON_PRICE as readonly string[]).includes(name)
      const place = onPrice ? { paneId: 'candle_pane' } : {}
      this.chart.createIndicator({ name, calcParams: PARAMETERS[name], ...place }, onPrice)
      const paneId = this.chart.getIndicators({ name })[0]?.paneId
      if (!onPrice && paneId) this.chart.setPaneOptions({ id: paneId, height: BELOW_HEIGHT })
    }
  }

  /** A line where each trading day begins. */
  showDays(days: () => number[]): void {
    this.chart.removeIndicator({ name: 'DAYS' })
    this.chart.createIndicator({ name: 'DAYS', extendData: { days }, paneId: 'candle_pane' }, true)
  }

  /** The whole day's width, around the settlement before; undefined: as the bars want it. */
  setTimeline(wish: TimelineWish | undefined): void {
    this.timeline = wish
    this.chart.removeIndicator({ name: 'AVG' })
    this.chart.overrideYAxis({
      paneId: 'candle_pane',
      createTicks: ({ defaultTicks }) => written(defaultTicks, this.wish?.decimals ?? 0),
      createRange: ({ defaultRange }) => (wish?.centre ? around(wish.centre, defaultRange) : defaultRange),
    })
    if (!wish) {
      this.chart.setBarSpace(8)
      this.chart.setOffsetRightDistance(60)
      return
    }
    const place = { paneId: 'candle_pane' }
    this.chart.createIndicator({ name: 'AVG', extendData: wish.size, ...place }, true)
    this.fit()
  }

  private fit(): void {
    const width = this.chart.getSize('candle_pane', 'main')?.width
    const count = this.bars.length
    if (this.wish?.whole && width && count) {
      this.chart.setBarSpace(Math.min(WIDEST, (width - MARGIN) / count))
      this.chart.setOffsetRightDistance(MARGIN)
    }
    if (!this.timeline || !width) return
    const space = width / Math.max(this.timeline.minutes || FEWEST, count)
    this.chart.setBarSpace(space)
    this.chart.setOffsetRightDistance(Math.max(0, width - count * space))
  }

  /** Draw these lines and marks, and no others of the group. */
  draw(name: 'priceLine' | 'fillMark', drawings: readonly Drawing[]): void {
    const wanted = new Map(drawings.map((drawing) => [`${name} ${drawing.id}`, drawing]))
    for (const { id } of this.chart.getOverlays({ name })) {
      if (!wanted.has(id)) this.chart.removeOverlay({ id })
    }
    for (const [id, { points, data, onDropped }] of wanted) {
      if (id === this.dragged) continue
      const overlay = {
        id,
        name,
        points: [points],
        extendData: data,
        lock: !onDropped,
        ...this.drag(onDropped),
      }
      if (this.chart.getOverlays({ id }).length) this.chart.overrideOverlay(overlay)
      else this.chart.createOverlay({ ...overlay, paneId: 'candle_pane' })
    }
  }

  private drag(onDropped: Drawing['onDropped']) {
    const start = ({ overlay }: OverlayEvent<unknown>) => (this.dragged = overlay.id)
    const end = ({ overlay }: OverlayEvent<unknown>) => {
      this.dragged = ''
      const value = overlay.points[0]?.value
      if (value !== undefined) onDropped?.(value)
    }
    return { onPressedMoveStart: start, onPressedMoveEnd: end }
  }

  /** The last values of what is calculated, by indicator: for whoever cannot see the canvas. */
  get values(): Record<string, Record<string, number>> {
    const shown = this.chart.getIndicators().filter(({ name }) => isIndicator(name) || name === 'AVG')
    return Object.fromEntries(
      shown.map(({ name, result }) => [name, (result.at(-1) ?? {}) as Record<string, number>]),
    )
  }

  /** The prices at the upper and the lower end of their pane, and its height in px. */
  get scale(): { high: number; low: number; height: number } | undefined {
    const height = this.chart.getSize('candle_pane', 'main')?.height
    if (!height) return undefined
    const at = [0, height].map((y) => ({ x: 0, y }))
    const ends = this.chart.convertFromPixel(at, { paneId: 'candle_pane' }) as Partial<Point>[]
    return { high: ends[0]?.value ?? 0, low: ends[1]?.value ?? 0, height }
  }

  /** What is hidden keeps its view. The first one that is seen ends with the newest bar. */
  resize(): void {
    if (!this.element.clientWidth) return
    this.chart.resize()
    const toNewest = () => this.element.isConnected && this.chart.scrollToRealTime()
    if (!this.isSeen) requestAnimationFrame(toNewest) // laid out by then
    this.isSeen = true
    this.fit()
  }

  private leave(): void {
    this.feed?.listeners.delete(this.changed)
    cancelAnimationFrame(this.frame)
    this.frame = 0
    this.push = undefined
  }

  close(): void {
    this.leave()
    dispose(this.element)
  }
}
