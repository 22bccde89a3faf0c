/** What takes more than one request: 全撤, 全平, 反手. */
import { defineAccountStore, type AccountContext } from '@/accounts/context'
import type { OrderRow, PositionRow } from '@/api/rows'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useQuotes } from '@/market/quotes'
import { useBook } from '@/stores/book'
import { useNotices } from '@/stores/notices'

import { cancelFate, closeWish, fillOf, oppositeWish, whyNotClose } from './closing'
import { useSending, type OrderWish, type SentOrder } from './sending'
import { pooled, Stop, useSteps, type Step } from './steps'

/** Longer than this no close is waited for: who reverses does not mean the price of minutes later. */
export const FILL_MS = 30_000
const CANCEL_MS = 5_000
const AT_ONCE = 4

export const useProcedures = defineAccountStore('procedures', (context) => {
  const link = useLink(context)
  const book = useBook(context)
  const sending = useSending(context)
  const quotes = useQuotes(context)
  const left = keptReversal(context)
  const { run, goOn, until } = useSteps(context)

  if (left.before) useNotices().show('unsure', t('book.reloaded', { what: left.before }))

  async function send(step: Step, wish: OrderWish): Promise<SentOrder> {
    goOn()
    step.state = 'running'
    const sent = await sending.send(wish)
    step.state = sent.state === 'known' ? 'done' : sent.state === 'refused' ? 'failed' : 'unsure'
    step.detail = sent.message
    return sent
  }

  /** Wait until the order has filled; raises Stop when it does not, with what did. */
  async function filled(step: Step, sent: SentOrder): Promise<void> {
    step.state = 'running'
    const { volume } = sent
    const look = () => {
      const now = fillOf(sent.order_ids.length ? sent.order_ids : [sent.order_id], book.orders, volume)
      step.detail = t('book.filledOf', { traded: now.traded, volume })
      return now
    }
    try {
      const inTime = await until(() => look().state !== 'open', FILL_MS)
      const { state, words } = look()
      if (state !== 'filled')
        throw new Stop(
          inTime ? words || sent.message : t('book.notFilledInTime', { seconds: FILL_MS / 1000 }),
        )
      step.state = 'done'
    } catch (error) {
      step.state = 'failed'
      throw error
    }
  }

  function closeAll(positions: readonly PositionRow[]): Promise<void> {
    const texts = positions.map((position) => t('book.closeStep', wordsFor(position, position.available)))
    return run(t('book.closeAll'), texts, async (steps) => {
      const contracts = [...new Set(positions.map(({ local_symbol }) => local_symbol))]
      const sides = positions.map((position, at) => ({ position, step: steps[at]! }))
      const jobs = contracts.map(
        (symbol) => () => closeContract(sides.filter(({ position }) => position.local_symbol === symbol)),
      )
      await pooled(jobs, AT_ONCE)
      const sent = steps.filter(({ state }) => state === 'done').length
      return t('book.closeAllEnd', { sent, all: steps.length })
    })
  }

  /** One side after the other: the second would meet the first, and be refused as a self-trade. */
  async function closeContract(sides: { position: PositionRow; step: Step }[]): Promise<void> {
    let before: SentOrder | undefined
    for (const { position, step } of sides) {
      if (before?.state === 'known') await until(() => !rests(before!), CANCEL_MS)
      before = await closeStep(position, step)
    }
  }

  function rests({ order_id, order_ids, volume }: SentOrder): boolean {
    return fillOf(order_ids.length ? order_ids : [order_id], book.orders, volume).state === 'open'
  }

  async function closeStep(position: PositionRow, step: Step): Promise<SentOrder | undefined> {
    const why = whyNotClose(position, book.working, sending.unsettled)
    if (!why) return send(step, closeWish(position, position.available))
    step.state = 'failed'
    step.detail = why
    return undefined
  }

  function reverse(position: PositionRow): Promise<void> {
    const { volume } = position
    const words = wordsFor(position, volume)
    const texts = [
      t('book.closeStep', words),
      t('book.waitClosed'),
      t('book.openStep', { ...words, direction: position.direction === 'long' ? '空' : '多' }),
      t('book.waitOpened'),
    ]
    return run(t('book.reverse'), texts, async (steps) => {
      const say = (what: string) => left.keep(`${t('book.reverse')} ${position.local_symbol}：${what}`)
      try {
        return await reverseBy(position, steps, say)
      } finally {
        left.keep('')
      }
    })
  }

  /** Nothing opens before every lot is closed. */
  async function reverseBy(
    position: PositionRow,
    [close, closing, open, opening]: Step[],
    say: (what: string) => void,
  ): Promise<string> {
    const { volume, local_symbol } = position
    void quotes.subscribe([local_symbol]).catch(() => {}) // for the price of the opening
    say(t('book.closeSent'))
    const closed = await send(close!, closeWish(position, volume))
    if (closed.state !== 'known') throw new Stop(t('book.nothingOpened', { why: closed.message }))
    try {
      await filled(closing!, closed)
    } catch (error) {
      if (!(error instanceof Stop)) throw error
      throw new Stop(t('book.nothingOpened', { why: `${closing!.detail}，${error.message}` }))
    }
    const wish = oppositeWish(
      position,
      volume,
      link.noQuotes ? undefined : quotes.board.ticks.get(local_symbol),
    )
    if (!wish) throw new Stop(t('book.nothingOpened', { why: link.noQuotes || t('book.noPrice') }))
    say(t('book.closedOpenSent'))
    const opened = await send(open!, wish)
    if (opened.state !== 'known') throw new Stop(t('book.closedOnly', { why: opened.message }))
    await filled(opening!, opened)
    return t('book.reversed')
  }

  function cancelAll(): Promise<void> {
    const orders = book.working
    const texts = orders.map((order) => t('book.cancelStep', wordsOfOrder(order)))
    return run(t('book.cancelAll'), texts, async (steps) => {
      goOn()
      steps.forEach((step) => (step.state = 'running'))
      const refusals = new Map<string, string>()
      const hear = ({ order_id, msg }: Record<string, unknown>) => refusals.set(String(order_id), String(msg))
      context.socket.on('error', hear)
      try {
        const { msg } = await context.api.call('DELETE', 'order_solve', { all: 1 })
        const row = (order: OrderRow) => book.orders.find(({ order_id }) => order_id === order.order_id)
        const judge = () => {
          orders.forEach((order, at) => show(steps[at]!, row(order), refusals.get(order.order_id)))
          return steps.every(({ state }) => state === 'done')
        }
        const all = await until(judge, CANCEL_MS)
        const remaining = steps.filter(({ state }) => state !== 'done').length
        steps.filter(({ state }) => state === 'running').forEach((step) => (step.state = 'failed'))
        return all ? msg : `${msg}；${t('book.notCancelled', { count: remaining })}`
      } catch (error) {
        steps.filter(({ state }) => state === 'running').forEach((step) => (step.state = 'unsure'))
        throw error
      } finally {
        context.socket.off('error', hear)
      }
    })
  }

  return { closeAll, cancelAll, reverse }
})

function show(step: Step, order: OrderRow | undefined, refusal?: string): void {
  const { state, words } = cancelFate(order)
  if (state === 'done') step.state = 'done'
  step.detail = state === 'done' ? words : (refusal ?? words)
}

function wordsFor({ symbol, direction }: PositionRow, volume: number) {
  return { symbol, volume, side: direction === 'long' ? '多' : '空' }
}

function wordsOfOrder({ symbol, direction, offset, price, volume, traded }: OrderRow) {
  return { symbol, direction, offset, price, volume: volume - traded }
}

/** How far a reversal had come when the page was left; nothing goes on with it. */
function keptReversal({ id }: AccountContext) {
  const place = `ctpbee.reversal.${id}`
  const before = sessionStorage.getItem(place) ?? ''
  const keep = (what: string) =>
    what ? sessionStorage.setItem(place, what) : sessionStorage.removeItem(place)
  keep('')
  return { before, keep }
}
