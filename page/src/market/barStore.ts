/** Series of bars, fed by the account's socket; loaded when a chart opens one, mended after each absence. */
import { defineAccountStore } from '@/accounts/context'
import { subscribe } from '@/api/socket'

import { BarSeries, FIELDS, rowsToBars, type Bar, type Interval } from './bars'

type Rows = (number | string | null)[][]

const AT_ONCE = 800
/** How many series are kept when no chart shows them: going back to one costs nothing. */
const KEPT = 12

export class SeriesFeed {
  readonly listeners = new Set<() => void>()
  loaded: Promise<void> | undefined
  /** There is nothing older at the server. */
  complete = false

  constructor(
    readonly symbol: string,
    readonly series: BarSeries,
    private readonly ask: (fields: Record<string, string | number>) => Promise<Rows>,
  ) {}

  /** The newest bars, once. Raises ApiError or NoAnswer; asked again it tries again. */
  load(): Promise<void> {
    this.loaded ??= this.read({ limit: AT_ONCE }).then(
      (count) => void (this.complete = count < AT_ONCE),
      (error: unknown) => {
        this.loaded = undefined
        throw error
      },
    )
    return this.loaded
  }

  /** Bars before the oldest; answers them. Raises ApiError or NoAnswer. */
  async loadOlder(): Promise<Bar[]> {
    const oldest = this.series.closed[0]
    if (!oldest || this.complete) return []
    const count = await this.read({ limit: AT_ONCE, end: oldest.start })
    this.complete = count < AT_ONCE
    return this.series.closed.filter(({ start }) => start < oldest.start)
  }

  /** What was missed: from the last closed bar on, which may have been open when it was read. */
  async mend(): Promise<void> {
    if (!this.loaded) return
    const last = this.series.closed.at(-1)
    await this.read(last ? { start: last.start } : { limit: AT_ONCE })
    this.tell()
  }

  private async read(range: { start?: number; end?: number; limit?: number }): Promise<number> {
    const { interval } = this.series
    const wanted = { local_symbol: this.symbol, interval, fields: FIELDS, start: 1, ...range }
    if (range.end !== undefined) {
      const rows = await this.ask(wanted)
      this.series.load(rowsToBars(rows, interval))
      return rows.length
    }
    // A longer bar does not say which minutes it has: no minute may close while it is read.
    let [rows, before, after]: [Rows, number, number] = [[], 0, 1]
    for (let tries = 0; before !== after && tries < 3; tries++) {
      before = await this.lastMinute()
      rows = await this.ask(wanted)
      after = await this.lastMinute()
    }
    this.series.load(rowsToBars(rows, interval), after)
    return rows.length
  }

  private async lastMinute(): Promise<number> {
    const rows = await this.ask({ local_symbol: this.symbol, interval: '1m', start: 1, limit: 1 })
    return Number(rows.at(-1)?.[0] ?? 0)
  }

  tell(): void {
    for (const listener of this.listeners) listener()
  }
}

export const useBars = defineAccountStore('bars', ({ api, socket }) => {
  const feeds = new Map<string, SeriesFeed>()

  function open(symbol: string, interval: Interval): SeriesFeed {
    const key = `${symbol} ${interval}`
    let feed = feeds.get(key)
    if (!feed) {
      feed = new SeriesFeed(symbol, new BarSeries(interval), (fields) =>
        api.data<Rows>('POST', 'bar', fields),
      )
      feeds.set(key, feed)
      forget()
      listen()
    }
    return feed
  }

  function forget(): void {
    for (const [key, feed] of feeds) {
      if (feeds.size <= KEPT) return
      if (!feed.listeners.size) feeds.delete(key)
    }
  }

  // What no chart shows is fed as long as it is kept: it is whole when one shows it again.
  const listen = () => {
    if (socket.connected) subscribe(socket, new Set([...feeds.values()].map(({ symbol }) => symbol)))
  }
  const each = (symbol: string, does: (feed: SeriesFeed) => boolean) => {
    for (const feed of feeds.values()) if (feed.symbol === symbol && does(feed)) feed.tell()
  }

  socket.on('connect', listen)
  socket.on('bar_update', (update) => each(update.local_symbol, ({ series }) => series.form(update)))
  socket.on('bar', ({ local_symbol, data }) => each(local_symbol, ({ series }) => series.close(data)))
  socket.on('snapshot', () => {
    // What fails is tried again with the next snapshot; the banner says that the line is bad.
    for (const feed of feeds.values()) void feed.mend().catch(() => {})
  })

  return { open }
})
