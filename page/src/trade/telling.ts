/**
 * Says aloud what becomes of the account while the page looks on: fills, cancels, refusals, forced closes, the
 * line. What a snapshot repeats is no news, nor what this page's own sending has said already.
 */
import { watch } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import type { OrderRow, TradeRow } from '@/api/rows'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useContracts } from '@/market/contracts'
import { useNotices } from '@/stores/notices'
import { price } from '@/ui/format'

import { useSending } from './sending'
import { reasonIn } from './sent'

/** A forced close comes as a fill too, whose notice has all that is in it; a refused token ends the account. */
const TOLD_ELSEWHERE: readonly string[] = ['FORCED_CLOSE', 'TOKEN_INVALID']
const ROW_MS = 300

export const useTelling = defineAccountStore('telling', (context) => {
  const { socket } = context
  const link = useLink(context)
  const sending = useSending(context)
  const contracts = useContracts(context)
  const notices = useNotices()
  /** The journal's number up to which all was told, or was there before the page looked. */
  let heard = Infinity
  const ended = new Set<string>()

  socket.on('snapshot', ({ seq }) => (heard = seq))
  socket.on('disconnect', () => (heard = Infinity))

  const news = (seq: number) => {
    if (seq <= heard) return false
    heard = seq
    return true
  }

  socket.on('trade_update', ({ seq, data }) => {
    if (news(seq)) tellTrade(data)
  })
  socket.on('order_update', ({ seq, data }) => {
    if (news(seq)) tellOrder(data)
  })
  socket.on('error', (event) => {
    if (event.msg === 'token error' || TOLD_ELSEWHERE.includes(event.error)) return
    const id = String(event.order_id ?? '')
    // A refusal that nobody waited for comes as a row too, a little before or after: the row has the order.
    const isTold = () =>
      ended.has(id) ||
      sending.sent.some((one) => one.client_order_id === event.client_order_id && one.state === 'refused')
    setTimeout(() => isTold() || notices.show('bad', event.msg), id ? ROW_MS : 0)
  })

  function tellTrade(row: TradeRow): void {
    const { symbol, direction, offset, volume, forced } = row
    const tick = contracts.bySymbol.get(row.local_symbol)?.pricetick
    const words = { symbol, direction, offset, volume, forced, price: price(row.price, tick) }
    if (forced) notices.show('bad', t('book.toldForced', words))
    else notices.show('good', t('book.toldTrade', words))
  }

  function tellOrder(row: OrderRow): void {
    const { symbol, direction, offset, volume, traded } = row
    if (row.status === '已撤销') {
      notices.show('info', t('book.toldCancelled', { symbol, direction, offset, traded, volume }))
    } else if (row.status === '拒单') {
      ended.add(row.order_id)
      const own = sending.sent.some(({ client_order_id }) => client_order_id === row.client_order_id)
      if (own) return
      notices.show('bad', t('book.toldRefused', { symbol, direction, offset, volume, why: reasonIn(row) }))
    }
  }

  let line: 'new' | 'whole' | 'lost' = 'new'
  watch(
    () => link.cut,
    (cut) => {
      if (cut && line === 'whole') notices.show('bad', cut)
      else if (!cut && line === 'lost') notices.show('good', t('book.toldBack'))
      if (!cut) line = 'whole'
      else if (line === 'whole') line = 'lost'
    },
  )

  return {}
})
