import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { ApiError, NoAnswer } from '@/api/http'
import { useNotices } from '@/stores/notices'
import { fakeAccount, settled } from '@/testing/account'

import { useStopping } from './stopping'

let fake: ReturnType<typeof fakeAccount>
let stopping: ReturnType<typeof useStopping>
const notices = () => useNotices().notices.map(({ kind, text }) => `${kind} ${text}`)
const posts = () => fake.calls.filter(({ method }) => method === 'POST')

beforeEach(() => {
  vi.useFakeTimers()
  fake = fakeAccount()
  stopping = useStopping(fake.context)
})
afterEach(() => {
  fake.context.close()
  vi.useRealTimers()
})

it('halts and cancels in one request, and shows what became of each order', async () => {
  void stopping.change('halted', '', '断网演练', true)
  await settled()
  expect(posts()[0]).toMatchObject({
    path: 'risk/state',
    fields: { state: 'halted', strategy: '', why: '断网演练', cancel: 1 },
  })
  const order = { order_id: '1', local_symbol: 'rb2510.SHFE', state: 'sent', msg: '撤单请求已发送' }
  await posts()[0]!.answer({ msg: '账户：暂停交易', data: { states: {}, orders: [order] } })
  expect(stopping.cancelled).toEqual([order])
  expect(notices()).toEqual(['good 账户：暂停交易'])
  expect(stopping.doing).toBe('')
})

it('does one thing at a time', async () => {
  void stopping.change('halted', '', '')
  void stopping.change('active', '', '')
  await settled()
  expect(posts()).toHaveLength(1)
})

it('says that it is not known where no answer came, and reads the states anew', async () => {
  void stopping.change('halted', 'mine', '')
  await settled()
  await posts()[0]!.fail(new NoAnswer(''))
  expect(notices()[0]).toContain('unsure mine 暂停交易')
  expect(fake.calls.at(-1)).toMatchObject({ method: 'GET', path: 'risk' })
})

it('says that it is not known where the gateway gave no answer in time', async () => {
  void stopping.change('halted', '', '', true)
  await settled()
  await posts()[0]!.answer({ error: 'RISK_STATE_UNKNOWN', msg: '没有得到应答', data: '' })
  expect(notices()).toEqual(['unsure 没有得到应答'])
  expect(stopping.cancelled).toEqual([])
})

it('tells a refusal in the words of the server', async () => {
  void stopping.logOut('')
  await settled()
  const refused = { success: false, error: 'BAD_INPUT', msg: '缺少参数 why', data: '' }
  await posts()[0]!.fail(new ApiError(refused, 400))
  expect(notices()).toEqual(['bad 强制退出：缺少参数 why'])
})

it('cancels by all that is given', async () => {
  void stopping.cancelSome({ local_symbol: 'rb2510.SHFE', filled: 'part' })
  await settled()
  expect(posts()[0]).toMatchObject({
    path: 'risk/cancel',
    fields: { local_symbol: 'rb2510.SHFE', filled: 'part' },
  })
  await posts()[0]!.answer({ data: { orders: [] } })
  expect(stopping.cancelled).toEqual([])
})

it('changes the result of one that waited its turn when that comes', async () => {
  void stopping.cancelSome({ order_ids: '1_1,1_2' })
  await settled()
  const row = (order_id: string, state: string) => ({
    order_id,
    local_symbol: 'rb2510.SHFE',
    state,
    msg: state,
  })
  await posts()[0]!.answer({ data: { orders: [row('1_1', 'cancelled'), row('1_2', 'queued')] } })
  await fake.emit('risk', { data: { what: 'warning', order_id: '1_2', msg: 'no', states: {} } })
  await fake.emit('risk', {
    data: { what: 'cancel', order_id: '1_2', state: 'failed', msg: '已成交', states: {} },
  })
  expect(stopping.cancelled.map(({ state, msg }) => [state, msg])).toEqual([
    ['cancelled', 'cancelled'],
    ['failed', '已成交'],
  ])
})

it('keeps a result that overtook the answer', async () => {
  void stopping.cancelSome({ order_ids: '1_1' })
  await settled()
  await fake.emit('risk', {
    data: { what: 'cancel', order_id: '1_1', state: 'cancelled', msg: '', states: {} },
  })
  const order = { order_id: '1_1', local_symbol: 'rb2510.SHFE', state: 'sent', msg: '撤单请求已发送' }
  await posts()[0]!.answer({ data: { orders: [order] } })
  expect(stopping.cancelled).toEqual([{ ...order, state: 'cancelled', msg: '' }])
})
