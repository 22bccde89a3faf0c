import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { useNotices } from '@/stores/notices'
import { fakeAccount, READY } from '@/testing/account'

import { useSending } from './sending'
import { useTelling } from './telling'

let account: ReturnType<typeof fakeAccount>
const texts = () => useNotices().notices.map(({ kind, text }) => `${kind} ${text}`)

const ROW = { symbol: 'rb2510', local_symbol: 'rb2510.SHFE', direction: '多', offset: '开', volume: 2 }
const order = (seq: number, data: object) =>
  account.emit('order_update', { type: 'order_update', seq, data: { ...ROW, traded: 0, ...data } })
const trade = (seq: number, data: object = {}) =>
  account.emit('trade_update', {
    type: 'trade_update',
    seq,
    data: { ...ROW, price: 3090, forced: '', ...data },
  })

beforeEach(async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-30T01:00:00Z') })
  sessionStorage.clear()
  account = fakeAccount()
  useTelling(account.context)
  await account.ready()
})
afterEach(() => {
  account.context.close()
  vi.useRealTimers()
})

it('tells a fill, a cancel, a forced close', async () => {
  await trade(8)
  await order(9, { status: '已撤销', order_id: '1', traded: 1 })
  await trade(10, { forced: '强平' })
  expect(texts()).toEqual([
    'good 成交 rb2510 多开 2 手 @3090',
    'info rb2510 多开 已撤销，成交 1/2 手',
    'bad 强平 rb2510 多开 2 手 @3090',
  ])
})

it('tells nothing twice, nor what was there before it looked', async () => {
  await trade(7)
  await trade(8)
  await trade(8)
  expect(texts()).toHaveLength(1)
})

it('tells nothing of what comes between a reconnect and its snapshot', async () => {
  await account.emit('disconnect')
  await account.emit('connect')
  await trade(9)
  await account.emit('snapshot', { seq: 9 })
  expect(texts().filter((text) => text.includes('成交'))).toEqual([])
  await trade(10)
  expect(texts().filter((text) => text.includes('成交'))).toHaveLength(1)
})

it('tells the refusal of another page, and leaves its own to who sent it', async () => {
  const sending = useSending(account.context)
  void sending.send({ ...ROW, direction: '多', offset: '开', type: '限价', price: 3090 })
  const id = account.calls.at(-1)!.fields.client_order_id
  await order(8, { status: '拒单', order_id: '1', client_order_id: id, status_msg: '资金不足' })
  expect(texts()).toEqual([])
  await order(9, { status: '拒单', order_id: '2', client_order_id: 'other', status_msg: '资金不足' })
  expect(texts()).toEqual(['bad rb2510 多开 2 手被拒：资金不足'])
})

it('tells an event of the server once, and one that its row has told not again', async () => {
  await account.emit('error', { error: 'BOOK_DIFFERENCE', msg: '对账有差' })
  await account.emit('error', { error: 'CTP_31', msg: '资金不足', order_id: '2' })
  await order(9, { status: '拒单', order_id: '2', client_order_id: 'other', status_msg: '资金不足' })
  await vi.advanceTimersByTimeAsync(1000)
  expect(texts()).toEqual(['bad 对账有差', 'bad rb2510 多开 2 手被拒：资金不足'].toSorted().toReversed())
})

it('leaves a late refusal of its own order to who sent it', async () => {
  const sending = useSending(account.context)
  void sending.send({ ...ROW, direction: '多', offset: '开', type: '限价', price: 3090 })
  const { client_order_id } = account.calls.at(-1)!.fields
  sending.sent[0]!.state = 'refused'
  await account.emit('error', { error: 'CTP_31', msg: '资金不足', order_id: '2', client_order_id })
  await account.emit('error', { error: 'CTP_31', msg: '资金不足', order_id: '3', client_order_id: 'other' })
  await vi.advanceTimersByTimeAsync(1000)
  expect(texts()).toEqual(['bad 资金不足'])
})

it('tells that the line went and came back, and nothing when the page begins', async () => {
  expect(texts()).toEqual([])
  await account.emit('status', { ...READY, gateway: { state: 'frozen', reason: '', since: '' } })
  await account.emit('status', READY)
  expect(texts()).toEqual(['bad 网关没有应答', 'good 已恢复连接'])
})
