/**
 * Moving a working order to another price: it is cancelled, and once the counter has confirmed that, what was
 * left of it is sent anew. Never are two of them alive; one that fills meanwhile is not sent again.
 */
import { ref } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import type { OrderRow } from '@/api/rows'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useRiskStates } from '@/risk/states'
import { useBook } from '@/stores/book'

import { useSending, type OrderWish } from './sending'
import { isSilence, saysNotSent } from './sent'
import { Stop, useSteps, type Step } from './steps'

/** Longer than this no cancel is waited for: the price that was wished for is of now. */
export const CONFIRM_MS = 10_000
const ENDED = ['已撤销', '全部成交', '拒单']

export const useMoving = defineAccountStore('moving', (context) => {
  const link = useLink(context)
  const risk = useRiskStates(context)
  const book = useBook(context)
  const sending = useSending(context)
  const { run, goOn, until } = useSteps(context)

  /** Why it cannot be moved now; empty where it can. */
  function whyNot({ type, status, strategy, offset }: OrderRow): string {
    const stopped = link.noTrade || risk.whyNot(offset)
    if (stopped) return stopped
    if (strategy) return t('chart.moveOfStrategy', { strategy })
    if (type !== '限价') return t('chart.moveNotLimit')
    return status === '未成交' || status === '部分成交' ? '' : t('chart.moveUnsure')
  }

  function wishOf(order: OrderRow, price: number, volume = order.volume - order.traded): OrderWish {
    const { local_symbol, direction, offset } = order
    return { local_symbol, direction, offset, type: '限价', volume, price }
  }

  function move(order: OrderRow, price: number): Promise<void> {
    const { symbol, direction, offset, volume, traded } = order
    const words = { symbol, direction, offset, volume: volume - traded, price: order.price }
    const texts = [t('book.cancelStep', words), t('chart.moveConfirm'), t('chart.moveSend', { price })]
    return run(t('chart.move'), texts, async ([cancel, confirm, send]) => {
      const left = await cancelled(order, cancel!, confirm!)
      return sendLeft(wishOf(order, price, left), send!)
    })
  }

  /** Answers the lots that were left of it. Raises Stop unless the counter has confirmed the cancel. */
  async function cancelled(order: OrderRow, cancel: Step, confirm: Step): Promise<number> {
    const refusal = ref('')
    const hear = ({ order_id, msg }: Record<string, unknown>) => {
      if (order_id === order.order_id) refusal.value = String(msg)
    }
    context.socket.on('error', hear)
    try {
      goOn()
      await askToCancel(order, cancel)
      confirm.state = 'running'
      const row = () => book.orders.find(({ order_id }) => order_id === order.order_id)
      await until(() => ENDED.includes(row()?.status ?? '') || refusal.value !== '', CONFIRM_MS, refusal)
      const now = row()
      if (now?.status === '已撤销') {
        confirm.state = 'done'
        return now.volume - now.traded
      }
      const end = ENDED.includes(now?.status ?? '') ? now!.status : refusal.value
      throw notSent(end || t('chart.moveNotConfirmed', { seconds: CONFIRM_MS / 1000 }))
    } catch (error) {
      const running = [cancel, confirm].find(({ state }) => state === 'running')
      if (running) running.state = 'failed'
      throw error
    } finally {
      context.socket.off('error', hear)
    }
  }

  async function askToCancel({ order_id, local_symbol }: OrderRow, step: Step): Promise<void> {
    step.state = 'running'
    try {
      const answer = await context.api.call('DELETE', 'order_solve', { order_id, local_symbol }, 15)
      step.state = answer.error ? 'unsure' : 'done'
      step.detail = answer.msg
    } catch (error) {
      if (saysNotSent(error)) throw notSent(wordsOf(error, ''))
      if (!isSilence(error)) throw error
      step.state = 'unsure' // the order's row says what became of it
      step.detail = t('book.cancelUnknown')
    }
  }

  async function sendLeft(wish: OrderWish, step: Step): Promise<string> {
    try {
      goOn()
    } catch (error) {
      throw error instanceof Stop ? cancelledOnly(error.message) : error
    }
    step.state = 'running'
    const sent = await sending.send(wish)
    step.state = sent.state === 'known' ? 'done' : sent.state === 'refused' ? 'failed' : 'unsure'
    step.detail = sent.message
    if (sent.state === 'refused') throw cancelledOnly(sent.message)
    return step.state === 'done' ? t('chart.moved', { lots: wish.volume, price: wish.price! }) : sent.message
  }

  return { whyNot, wishOf, move }
})

function notSent(why: string): Stop {
  return new Stop(t('chart.moveNothingSent', { why }))
}

function cancelledOnly(why: string): Stop {
  return new Stop(t('chart.moveCancelledOnly', { why }))
}
