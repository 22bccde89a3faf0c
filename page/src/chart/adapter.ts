/**
 * KLineChart behind one door: everything that the page asks of it is asked here, so that another version is one
 * file's work. Bars come by `feed`; it is told of a new one at most once a frame.
 */
import { dispose, init, registerLocale, type Chart, type KLineData } from 'klinecharts'

import type { Bar, Interval } from '@/market/bars'
import type { SeriesFeed } from '@/market/barStore'

import { registerDrawings } from './drawings'
import { colours, stylesOf } from './styles'

export interface ChartWish {
  symbol: string
  interval: Interval
  /** Decimals of a price. */
  decimals: number
  /** 分时: an area line of the trading day, without scrolling. */
  area: boolean
  formatTime: (timestamp: number, where: 'xAxis' | 'crosshair' | 'tooltip') => string
}

const ZH = {
  ...{
    time: '时间：',
    open: '开：',
    high: '高：',
    low: '低：',
    close: '收：',
    volume: '量：',
    change: '幅：',
  },
  ...{
    turnover: '额：',
    second: '秒',
    minute: '分',
    hour: '时',
    day: '日',
    week: '周',
    month: '月',
    year: '年',
  },
}
registerLocale('zh-CN', ZH)
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

export class ChartAdapter {
  readonly chart: Chart
  private feed: SeriesFeed | undefined
  private push: ((bar: KLineData) => void) | undefined
  private frame = 0
  private last = 0
  private wish: ChartWish | undefined

  constructor(
    private readonly element: HTMLElement,
    private readonly onFailure: (error: unknown) => void,
    private readonly onShown: () => void,
  ) {
    const chart = init(element, { timezone: 'Asia/Shanghai', zoomAnchor: 'last_bar' })
    if (!chart) throw new Error('no canvas')
    this.chart = chart
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
        const bars = feed.series.all
        this.last = bars.at(-1)?.start ?? 0
        callback(bars.map(toChart), { forward: !feed.complete })
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
    for (const bar of feed.series.all.slice(-since(feed.series.all, this.last))) {
      push(toChart(bar))
      this.last = bar.start
    }
    this.onShown()
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

/** How many bars at the end are of `start` or later. */
function since(bars: readonly Bar[], start: number): number {
  let count = 0
  while (count < bars.length && bars[bars.length - 1 - count]!.start >= start) count += 1
  return Math.max(count, 1)
}

function toChart(bar: Bar): KLineData {
  return { ...bar, timestamp: bar.start, turnover: bar.turnover ?? undefined }
}
