/** What is shown of an order that this page sent: by its row in the account's list, and before that by its fate. */
import type { OrderRow } from '@/api/rows'
import { t } from '@/i18n'

import { isOpen, reasonIn, type SentOrder } from './sent'

export interface Shown {
  /** Which colour: unsure is 未确认's own. */
  kind: 'sending' | 'unsure' | 'working' | 'good' | 'bad' | 'ended'
  state: string
  detail: string
}

export function shown(order: SentOrder, row: OrderRow | undefined): Shown {
  if (row && !isOpen(row)) return byRow(row)
  switch (order.state) {
    case 'sending':
      return { kind: 'sending', state: t('ticket.sending'), detail: '' }
    case 'unknown':
      return { kind: 'unsure', state: t('ticket.unknown'), detail: order.message }
    case 'absent':
      return { kind: 'bad', state: t('ticket.absent'), detail: order.message }
    case 'refused':
      return { kind: 'bad', state: t('ticket.notSent'), detail: order.message }
    case 'known':
      return { kind: 'working', state: order.message, detail: '' }
  }
}

function byRow(row: OrderRow): Shown {
  const { status, traded, volume } = row
  const detail = traded ? t('ticket.traded', { traded, volume }) : ''
  if (status === '拒单') return { kind: 'bad', state: status, detail: reasonIn(row) }
  if (status === '全部成交') return { kind: 'good', state: status, detail }
  return { kind: status === '已撤销' ? 'ended' : 'working', state: status, detail }
}
