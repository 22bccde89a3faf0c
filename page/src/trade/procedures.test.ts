import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { NoAnswer } from '@/api/http'
import type { OrderRow, PositionRow, Tick } from '@/api/rows'
import { useQuotes } from '@/market/quotes'
import { useNotices } from '@/stores/notices'
import { fakeAccount, openFake, READY, settled, type Call } from '@/testing/account'

import { FILL_MS, useProcedures } from './procedures'
import { useSteps } from './steps'

const HELD = {
  local_symbol: 'rb2510.SHFE',
  symbol: 'rb2510',
  direction: 'long',
  volume: 5,
  available: 5,
} as PositionRow

let account: ReturnType<typeof fakeAccount>
let procedures: ReturnType<typeof useProcedures>
let steps: ReturnType<typeof useSteps>

const orders = () => account.calls.filter(({ path }) => path === 'close_position' || path === 'order_solve')
const states = () => steps.current!.steps.map(({ state }) => state)
const row = (order_id: string, status: OrderRow['status'], traded: number, volume = 5): Partial<OrderRow> => {
  return { order_id, status, traded, volume, status_msg: '', client_order_id: '' }
}

beforeEach(async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-30T01:00:00Z') })
  sessionStorage.clear()
  account = fakeAccount()
  procedures = useProcedures(account.context)
  steps = useSteps(account.context)
  await account.ready()
  useQuotes(account.context).board.take([
    { local_symbol: 'rb2510.SHFE', bid_price_1: 3090, ask_price_1: 3091, trading_day: '20261130' } as Tick,
  ])
})
afterEach(() => {
  account.context.close()
  vi.useRealTimers()
})

/** A reversal whose close was taken by the counter, in two legs. */
async function reversing(): Promise<Call> {
  void procedures.reverse(HELD)
  await settled()
  const close = orders().at(-1)!
  expect(close.path).toBe('close_position')
  await close.answer({ order_id: '1', order_ids: ['1', '2'], msg: '平仓请求发送成功' })
  return close
}

// ── 全平 ──

it('closes both sides of a contract one after the other, or the second would meet the first', async () => {
  const short = { ...HELD, direction: 'short', volume: 1, available: 1 } as PositionRow
  void procedures.closeAll([HELD, short])
  await settled()
  expect(orders()).toHaveLength(1)
  await orders()[0]!.answer({ order_id: '1', order_ids: ['1'], msg: '平仓请求发送成功' })
  await account.orders(row('1', '未成交', 0))
  expect(orders()).toHaveLength(1)
  await account.orders(row('1', '全部成交', 5))
  expect(orders()).toHaveLength(2)
  expect(orders()[1]!.fields).toMatchObject({ direction: 'short', volume: 1 })
})

// ── 反手 ──

it('opens the other side when every lot of every leg has filled, and not before', async () => {
  await reversing()
  expect(states()).toEqual(['done', 'running', 'waiting', 'waiting'])
  await account.orders(row('1', '全部成交', 3, 3), row('2', '部分成交', 1, 2))
  expect(orders()).toHaveLength(1)
  expect(steps.current!.steps[1]!.detail).toBe('成交 4/5 手')
  await account.orders(row('1', '全部成交', 3, 3), row('2', '全部成交', 2, 2))
  expect(orders()).toHaveLength(2)
  expect(orders()[1]!.fields).toMatchObject({ direction: '空', offset: '开', volume: 5, price: 3090 })
  await orders()[1]!.answer({ order_id: '3', msg: '成功下单' })
  await account.orders(row('1', '全部成交', 3), row('2', '全部成交', 2), row('3', '全部成交', 5))
  expect(states()).toEqual(['done', 'done', 'done', 'done'])
  expect(steps.current).toMatchObject({ running: false, end: '反手完成' })
})

it('opens nothing when the close is cancelled half way, and says so', async () => {
  await reversing()
  await account.orders(row('1', '全部成交', 3, 3), row('2', '已撤销', 1, 2))
  expect(orders()).toHaveLength(1)
  expect(states()).toEqual(['done', 'failed', 'stopped', 'stopped'])
  expect(steps.current!.end).toBe('没有开仓：成交 4/5 手，已撤销')
})

it('opens nothing when the close is refused', async () => {
  const { ApiError } = await import('@/api/http')
  void procedures.reverse(HELD)
  await settled()
  await orders()[0]!.fail(
    new ApiError({ success: false, msg: '平今仓位不足', data: '', error: 'CTP_50' }, 200),
  )
  expect(states()).toEqual(['failed', 'stopped', 'stopped', 'stopped'])
  expect(steps.current!.end).toContain('没有开仓：平今仓位不足')
})

it('opens nothing when nobody answered the close, not even when it fills later', async () => {
  void procedures.reverse(HELD)
  await settled()
  const close = orders()[0]!
  await close.fail(new NoAnswer('cut'))
  expect(states()).toEqual(['unsure', 'stopped', 'stopped', 'stopped'])
  const id = String(close.fields.client_order_id)
  await account.orders({ ...row('1', '全部成交', 5), client_order_id: id })
  expect(orders()).toHaveLength(1)
})

it('opens nothing once it was stopped by hand', async () => {
  await reversing()
  steps.stop()
  await settled()
  expect(steps.current!.end).toContain('手动停止')
  await account.orders(row('1', '全部成交', 3, 3), row('2', '全部成交', 2, 2))
  expect(orders()).toHaveLength(1)
})

it('opens nothing once the line was cut, though the close fills meanwhile', async () => {
  await reversing()
  await account.emit('disconnect')
  expect(steps.current!.running).toBe(false)
  await account.ready()
  await account.orders(row('1', '全部成交', 3, 3), row('2', '全部成交', 2, 2))
  expect(orders()).toHaveLength(1)
})

it('opens nothing where the close takes longer than anybody means', async () => {
  await reversing()
  await account.orders(row('1', '未成交', 0, 3), row('2', '未成交', 0, 2))
  await vi.advanceTimersByTimeAsync(FILL_MS)
  expect(steps.current!.end).toContain('30 秒内没有全部成交')
  await account.orders(row('1', '全部成交', 3, 3), row('2', '全部成交', 2, 2))
  expect(orders()).toHaveLength(1)
})

it('opens nothing without a price of now', async () => {
  await reversing()
  await account.emit('status', { ...READY, md: { state: 'lost', reason: '断开', since: '' } })
  await account.orders(row('1', '全部成交', 3, 3), row('2', '全部成交', 2, 2))
  expect(orders()).toHaveLength(1)
  expect(steps.current!.end).toContain('没有开仓')
})

it('says after a reload how far a reversal had come, and goes on with nothing', async () => {
  await reversing()
  account.context.close()
  account = openFake('sim-9999-demo')
  useProcedures(account.context)
  await account.ready()
  const [notice] = useNotices().notices.filter(({ kind }) => kind === 'unsure')
  expect(notice!.text).toContain('反手 rb2510.SHFE：平仓已发出，没有开仓')
  expect(orders()).toHaveLength(0)
})

it('runs one procedure at a time', async () => {
  await reversing()
  void procedures.reverse({ ...HELD, local_symbol: 'ag2512.SHFE' })
  void procedures.closeAll([HELD])
  await settled()
  expect(orders()).toHaveLength(1)
})

// ── 全平 ──

it('closes every position by a call of its own, and shows what became of each', async () => {
  const { ApiError } = await import('@/api/http')
  const symbols = ['rb2510.SHFE', 'ag2512.SHFE', 'IF2506.CFFEX', 'cu2507.SHFE', 'm2509.DCE']
  void procedures.closeAll(symbols.map((local_symbol) => ({ ...HELD, local_symbol })))
  await settled()
  expect(orders()).toHaveLength(4) // as many at a time
  const ids = new Set(orders().map(({ fields }) => fields.client_order_id))
  expect(ids.size).toBe(4)
  await orders()[0]!.answer({ order_id: '1', msg: '平仓请求发送成功' })
  expect(orders()).toHaveLength(5)
  await orders()[1]!.fail(new ApiError({ success: false, msg: '没有行情', data: '' }, 200))
  await orders()[2]!.fail(new NoAnswer('cut'))
  await orders()[3]!.answer({ order_id: '4', error: 'ORDER_STATE_UNKNOWN', msg: '未确认' })
  await orders()[4]!.answer({ order_id: '5', msg: '' })
  expect(states()).toEqual(['done', 'failed', 'unsure', 'unsure', 'done'])
  expect(steps.current!.end).toBe('5 个持仓，2 个的平仓已报')
})

it('sends no more closes once it was stopped', async () => {
  void procedures.closeAll(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ ...HELD, local_symbol: `${name}.DCE` })),
  )
  await settled()
  steps.stop()
  for (const call of orders()) await call.answer({ order_id: '1', msg: '' })
  expect(orders()).toHaveLength(4)
  expect(states().slice(4)).toEqual(['stopped', 'stopped'])
})

// ── 全撤 ──

it('cancels all by one call, and tells what was not cancelled and why', async () => {
  await account.orders(row('1', '未成交', 0), row('2', '部分成交', 1), row('3', '全部成交', 5))
  void procedures.cancelAll()
  await settled()
  const [call] = orders()
  expect([call!.method, call!.fields]).toEqual(['DELETE', { all: 1 }])
  await call!.answer({ msg: '已发出 2 笔撤单请求' })
  await account.emit('error', { error: 'CTP_26', msg: '撤单被拒：x', order_id: '2' })
  await account.orders(row('1', '已撤销', 0), row('2', '部分成交', 1), row('3', '全部成交', 5))
  expect(states()).toEqual(['done', 'running'])
  await vi.advanceTimersByTimeAsync(5000)
  expect(states()).toEqual(['done', 'failed'])
  expect(steps.current!.steps[1]!.detail).toBe('撤单被拒：x')
  expect(steps.current!.end).toBe('已发出 2 笔撤单请求；1 笔没有撤掉')
})

it('does not know what became of a cancel of all that nobody answered', async () => {
  await account.orders(row('1', '未成交', 0))
  void procedures.cancelAll()
  await settled()
  await orders()[0]!.fail(new NoAnswer('cut'))
  expect(states()).toEqual(['unsure'])
})
