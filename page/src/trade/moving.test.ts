import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { ApiError, NoAnswer } from '@/api/http'
import type { OrderRow } from '@/api/rows'
import { fakeAccount, READY, settled } from '@/testing/account'

import { CONFIRM_MS, useMoving } from './moving'
import { useSteps } from './steps'

const ORDER = {
  order_id: '1',
  local_symbol: 'rb2510.SHFE',
  symbol: 'rb2510',
  direction: '多',
  offset: '平今',
  type: '限价',
  price: 3080,
  volume: 5,
  traded: 1,
  status: '部分成交',
  strategy: '',
  status_msg: '',
  client_order_id: '',
} as OrderRow

let account: ReturnType<typeof fakeAccount>
let moving: ReturnType<typeof useMoving>
let steps: ReturnType<typeof useSteps>

const calls = () => account.calls.filter(({ path }) => path === 'order_solve')
const states = () => steps.current!.steps.map(({ state }) => state)
const now = (status: OrderRow['status'], traded = 1) => account.orders({ ...ORDER, status, traded })

beforeEach(async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-30T01:00:00Z') })
  sessionStorage.clear()
  account = fakeAccount()
  moving = useMoving(account.context)
  steps = useSteps(account.context)
  await account.ready()
  await now('部分成交')
})
afterEach(() => {
  account.context.close()
  vi.useRealTimers()
})

const refusal = (error: string, msg: string) => new ApiError({ success: false, error, msg, data: '' }, 400)

/** The cancel was asked for. */
async function moved() {
  void moving.move(ORDER, 3085)
  await settled()
  return calls()[0]!
}

it('sends what was left once the counter has confirmed the cancel, and not before', async () => {
  const cancel = await moved()
  expect(cancel).toMatchObject({ method: 'DELETE', fields: { order_id: '1', local_symbol: 'rb2510.SHFE' } })
  await cancel.answer({ msg: '撤单请求已发送' })
  expect(states()).toEqual(['done', 'running', 'waiting'])
  await now('部分成交', 2)
  expect(calls()).toHaveLength(1)
  await now('已撤销', 2)
  expect(calls()).toHaveLength(2)
  expect(calls()[1]).toMatchObject({
    method: 'POST',
    fields: { direction: '多', offset: '平今', type: '限价', volume: 3, price: 3085 },
  })
  await calls()[1]!.answer({ order_id: '2', msg: '成功下单' })
  expect(states()).toEqual(['done', 'done', 'done'])
  expect(steps.current!.end).toBe('改价完成：3 手 @3085')
})

it('sends nothing for an order that fills before its cancel comes', async () => {
  await (await moved()).answer({ msg: '撤单请求已发送' })
  await now('全部成交', 5)
  expect(calls()).toHaveLength(1)
  expect(states()).toEqual(['done', 'failed', 'stopped'])
  expect(steps.current!.end).toBe('没有重报：全部成交')
})

it('sends nothing when the cancel is refused, by the answer or by what the counter says later', async () => {
  await (await moved()).fail(refusal('CTP_26', '报单已全成交或已撤销'))
  expect(states()).toEqual(['failed', 'stopped', 'stopped'])
  expect(steps.current!.end).toBe('没有重报：报单已全成交或已撤销')
  void moving.move(ORDER, 3085)
  await settled()
  await calls()[1]!.answer({ msg: '撤单请求已发送' })
  await account.emit('error', { order_id: 'another', msg: '与此无关' })
  expect(states()[1]).toBe('running')
  await account.emit('error', { order_id: '1', msg: '撤单被拒' })
  expect(steps.current!.end).toBe('没有重报：撤单被拒')
  expect(calls()).toHaveLength(2)
})

it('sends nothing while the fate of the cancel is open, and nothing when it is told too late', async () => {
  await (await moved()).fail(new NoAnswer(''))
  expect(states()).toEqual(['unsure', 'running', 'waiting'])
  await vi.advanceTimersByTimeAsync(CONFIRM_MS)
  expect(steps.current!.running).toBe(false)
  await now('已撤销')
  expect(calls()).toHaveLength(1)
})

it('goes on by the row where the answer was lost', async () => {
  await (await moved()).fail(new NoAnswer(''))
  await now('已撤销')
  expect(calls()).toHaveLength(2)
})

it('sends nothing over a cut line or after 停止, and says that the order is cancelled', async () => {
  await (await moved()).answer({ msg: '' })
  await account.emit('status', { ...READY, td: { ...READY.td, state: 'lost' } })
  expect(steps.current!.running).toBe(false)
  await account.emit('status', READY)
  await now('已撤销')
  expect(calls()).toHaveLength(1)
  void moving.move(ORDER, 3085)
  await settled()
  steps.stop()
  await calls()[1]!.answer({ msg: '' })
  expect(steps.current!.running).toBe(false)
  expect(calls()).toHaveLength(2)
})

it('says that it is cancelled only, where the new one is refused', async () => {
  await (await moved()).answer({ msg: '' })
  await now('已撤销')
  await calls()[1]!.fail(refusal('PRICE', '高于涨停价'))
  expect(states()).toEqual(['done', 'done', 'failed'])
  expect(steps.current!.end).toBe('已撤单，没有重报：高于涨停价')
})

it.each([
  [{ strategy: 'mine' }, '策略 mine'],
  [{ type: '市价' }, '限价单'],
  [{ status: '提交中' }, '没有确认'],
  [{ status: '状态未知' }, '没有确认'],
  [{ status: '已撤销' }, '了结'],
])('does not move %o', (change, why) => {
  expect(moving.whyNot({ ...ORDER, ...change } as OrderRow)).toContain(why)
  expect(moving.whyNot(ORDER)).toBe('')
})
