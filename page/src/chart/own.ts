/** The account's orders, positions and fills, kept drawn on a chart. */
import { ref, watch } from 'vue'

import type { OrderRow } from '@/api/rows'
import type { Interval } from '@/market/bars'
import type { Contract } from '@/market/contracts'
import { useBook } from '@/stores/book'
import { nearest } from '@/trade/rules'

import type { ChartAdapter, Drawing } from './adapter'
import { ownFills, ownLines } from './lines'
import { colours } from './styles'

export function useOwnDrawings(
  adapter: () => ChartAdapter | undefined,
  contract: () => Contract,
  interval: () => Interval,
  /** A working order's line was dragged to this price, on the tick. */
  onMoved: (order: OrderRow, price: number) => void,
) {
  const book = useBook()
  /** What is drawn, as text: a canvas tells nobody. */
  const told = ref('')

  function draw(): void {
    const chart = adapter()
    if (!chart) return
    const { local_symbol, pricetick } = contract()
    const c = colours()
    const lines = ownLines(local_symbol, book.orders, book.positions, pricetick)
    const fills = ownFills(local_symbol, book.trades, chart.bars, interval() === '1d')
    chart.draw(
      'priceLine',
      lines.map(({ id, price, text, long, unsure, kind }): Drawing => {
        const colour = unsure ? c.unsure : long ? c.up : c.down
        return {
          id,
          points: { value: price },
          data: { text, colour, ink: c.panel, dashed: kind === 'order' },
          onDropped: kind === 'order' && !unsure ? (value) => moved(id, value) : undefined,
        }
      }),
    )
    chart.draw(
      'fillMark',
      fills.map(({ id, start, price, buy, text }): Drawing => {
        const data = { text, colour: buy ? c.up : c.down, ink: c.panel, below: buy }
        return { id, points: { timestamp: start, value: price }, data }
      }),
    )
    told.value = [...lines, ...fills].map(({ text, price }) => `${text} ${price}`).join('; ')
  }

  /** The line goes back to where the order is: whether it moves is decided elsewhere. */
  function moved(id: string, value: number): void {
    const order = book.orders.find(({ order_id }) => order_id === id)
    const price = nearest(value, contract().pricetick)
    draw()
    if (order && price !== order.price) onMoved(order, price)
  }

  watch(() => [book.orders, book.positions, book.trades], draw)
  return { draw, told }
}
