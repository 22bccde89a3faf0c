/**
 * Hotkeys: armed by hand, and disarmed by Esc, by leaving the window, by a hidden page and by a cut line. While
 * they are armed a key sends at once.
 */
import { onScopeDispose, ref, watch } from 'vue'

import { useAccount } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import type { Direction } from '@/api/rows'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useRiskStates } from '@/risk/states'
import { useBook } from '@/stores/book'
import { useNotices } from '@/stores/notices'
import { useSettings } from '@/stores/settings'

import { closeWish } from './closing'
import { actionOf, isTyping, type HotkeyAction } from './hotkeys'
import { offsetsOf } from './rules'
import { useSending, type OrderWish } from './sending'
import { useTicket } from './ticket'

export function useHotkeys() {
  const { api } = useAccount()
  const link = useLink()
  const risk = useRiskStates()
  const book = useBook()
  const notices = useNotices()
  const { settings } = useSettings()
  const sending = useSending()
  const ticket = useTicket()
  const armed = ref(false)

  function arm(): void {
    if (link.noTrade) notices.show('bad', t('ticket.hotkeyDisarmed', { why: link.noTrade }))
    else armed.value = true
  }

  function disarm(why: string): void {
    if (!armed.value) return
    armed.value = false
    notices.show('info', t('ticket.hotkeyDisarmed', { why }))
  }

  /** Send it, unless something is wrong with it: then that is said, and nothing is sent. */
  function send(action: HotkeyAction, wish: OrderWish, why: string): void {
    const reason = why || (sending.isDoubtful(wish) ? t('ticket.unknownBefore') : '')
    if (reason) refuse(action, reason)
    else void sending.send(wish)
  }

  function refuse(action: HotkeyAction, why: string): void {
    notices.show('bad', t('ticket.hotkeyRefused', { action: t(`ticket.${action}`), why }))
  }

  function place(action: HotkeyAction, direction: Direction, mode: 'opponent' | 'queue'): void {
    const wish = ticket.wish(direction, mode)
    send(action, wish, ticket.whyNot(wish, true))
  }

  function toggleOffset(): void {
    const offsets = offsetsOf(ticket.contract)
    ticket.form.offset = offsets[(offsets.indexOf(ticket.form.offset) + 1) % offsets.length]!
  }

  /** All that can be closed of this contract; the server splits today's lots and yesterday's. */
  function closeContract(): void {
    const held = book.positions.filter((row) => row.local_symbol === ticket.symbol && row.available > 0)
    if (!held.length) refuse('closeContract', t('ticket.nothingToClose'))
    for (const position of held) {
      send('closeContract', closeWish(position, position.available), link.noTrade || risk.noOrders)
    }
  }

  async function cancel(action: HotkeyAction, orderId?: string): Promise<void> {
    if (!book.working.length) return refuse(action, t('ticket.nothingToCancel'))
    try {
      const answer = await api.call(
        'DELETE',
        'order_solve',
        orderId ? { order_id: orderId } : { all: true },
        15,
      )
      notices.show(answer.error ? 'unsure' : 'good', answer.msg)
    } catch (error) {
      notices.show('bad', `${t(`ticket.${action}`)}：${wordsOf(error, t('common.silence'))}`)
    }
  }

  const doings: Record<HotkeyAction, () => void> = {
    buyOpponent: () => place('buyOpponent', '多', 'opponent'),
    sellOpponent: () => place('sellOpponent', '空', 'opponent'),
    buyQueue: () => place('buyQueue', '多', 'queue'),
    sellQueue: () => place('sellQueue', '空', 'queue'),
    moreLots: () => ticket.stepLots(1),
    fewerLots: () => ticket.stepLots(-1),
    toggleOffset,
    closeContract,
    cancelLast: () => void cancel('cancelLast', book.working.findLast(({ is_local }) => is_local)?.order_id),
    cancelAll: () => void cancel('cancelAll'),
  }

  function press(event: KeyboardEvent): void {
    if (!armed.value || document.querySelector('dialog[open]')) return
    if (event.key === 'Escape') return disarm(t('ticket.escaped'))
    const action = actionOf(event, settings.hotkeys, isTyping(event.target))
    if (!action) return
    event.preventDefault()
    event.stopPropagation()
    doings[action]()
  }
  const left = () => disarm(t('ticket.windowLeft'))
  const hidden = () => document.hidden && disarm(t('ticket.pageHidden'))

  // Before anything else hears of the key: a letter would jump in the list of quotes.
  window.addEventListener('keydown', press, { capture: true })
  window.addEventListener('blur', left)
  document.addEventListener('visibilitychange', hidden)
  watch(
    () => link.noTrade,
    (why) => why && disarm(why),
  )
  onScopeDispose(() => {
    window.removeEventListener('keydown', press, { capture: true })
    window.removeEventListener('blur', left)
    document.removeEventListener('visibilitychange', hidden)
  })
  return { armed, arm, disarm: () => disarm(t('ticket.byHand')) }
}
