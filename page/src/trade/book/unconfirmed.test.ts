import { expect, it } from 'vitest'

import type { LogRow, OrderRow } from '@/api/rows'
import type { SentOrder } from '@/trade/sending'

import { matching } from './log'
import { workingRows } from './unconfirmed'

const order = (order_id: string, status: string, status_msg = '') =>
  ({ order_id, status, status_msg, client_order_id: `c${order_id}` }) as OrderRow
const sent = (client_order_id: string, state: SentOrder['state']) => ({ client_order_id, state }) as SentOrder
const shown = (orders: OrderRow[], sents: SentOrder[]) =>
  workingRows(orders, sents, new Set(orders.map(({ client_order_id }) => client_order_id))).map(
    ({ key, kind }) => `${key} ${kind}`,
  )

it('has what nobody has confirmed at the top, then the newest', () => {
  const orders = [
    order('1', '未成交'),
    order('2', '提交中', '报单已发出，柜台未确认，请勿重复下单'),
    order('3', '部分成交'),
    order('4', '状态未知'),
    order('5', '提交中'),
  ]
  const sents = [sent('a', 'unknown'), sent('b', 'sending'), sent('d', 'absent'), sent('e', 'known')]
  expect(shown(orders, sents)).toEqual([
    'a unsure',
    '4 unsure',
    '2 unsure',
    'd absent',
    'b sending',
    '5 working',
    '3 working',
    '1 working',
  ])
})

it('shows an order once: by its row, where there is one', () =>
  expect(shown([order('1', '未成交')], [sent('c1', 'unknown')])).toEqual(['1 working']))

it('finds lines by level and text', () => {
  const rows = [
    { levelname: 'INFO', owner: 'td', message: '已登录' },
    { levelname: 'ERROR', owner: 'order', message: 'RB2510 被拒' },
  ] as LogRow[]
  expect(matching(rows, '', '')).toHaveLength(2)
  expect(matching(rows, 'WARNING', '')).toEqual([rows[1]])
  expect(matching(rows, '', ' rb25')).toEqual([rows[1]])
  expect(matching(rows, 'ERROR', '已登录')).toEqual([])
})
