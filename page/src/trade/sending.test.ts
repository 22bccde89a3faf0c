import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { ApiError, NoAnswer } from '@/api/http'
import { useNotices } from '@/stores/notices'
import { fakeAccount, openFake, READY } from '@/testing/account'

import { useSending, type OrderWish } from './sending'

const WISH: OrderWish = {
  local_symbol: 'rb2701.SHFE',
  direction: '多',
  offset: '开',
  type: '限价',
  volume: 2,
  price: 3090,
}

let account: ReturnType<typeof fakeAccount>
const refusal = (msg: string, status = 200, error = 'CTP_31') =>
  new ApiError({ success: false, msg, data: '', error }, status)
const texts = () => useNotices().notices.map(({ kind, text }) => `${kind} ${text}`)

async function begun() {
  const sending = useSending(account.context)
  await account.ready()
  return sending
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-30T01:00:00Z') })
  sessionStorage.clear()
  account = fakeAccount()
})
afterEach(() => {
  account.context.close()
  vi.useRealTimers()
})

/** Send one; its POST waits in `account.calls`. */
async function sendOne(wish: OrderWish = WISH) {
  const sending = await begun()
  const promise = sending.send(wish)
  const post = account.calls.at(-1)!
  return { sending, promise, post, id: String(post.fields.client_order_id) }
}

/** The page finds no row in the list; the journal, which it then asks, has this. */
async function journal(...events: object[]) {
  const asked = account.calls.at(-1)!
  expect([asked.method, asked.path]).toEqual(['GET', 'events'])
  await asked.answer({ data: { seq: 9, events } })
}

/** Then it gives the order's id up, to which the server says this. */
async function given(answer: object = { voided: true }) {
  const asked = account.calls.at(-1)!
  expect([asked.method, asked.path]).toEqual(['DELETE', 'order_solve'])
  expect(asked.fields).toEqual({ client_order_id: account.calls[0]!.fields.client_order_id })
  await asked.answer(answer)
}

// ── what is sent, and how often ──

it('sends the order with an id of its own', async () => {
  const { sending, promise, post, id } = await sendOne()
  expect([post.method, post.path]).toEqual(['POST', 'order_solve'])
  expect(post.fields).toMatchObject(WISH)
  expect(id).toMatch(/^p20261130-\w{8,}$/)
  expect(sending.sent.at(-1)!.state).toBe('sending')
  await post.answer({ order_id: '1_3_1', msg: '成功下单' })
  expect(await promise).toMatchObject({ state: 'known', order_id: '1_3_1' })
})

it('sends a close of a position with an id of its own, and keeps all its legs', async () => {
  const close = { ...WISH, direction: '空' as const, offset: '平' as const, price: undefined }
  const { promise, post, id } = await sendOne({ ...close, closes: 'long' })
  expect([post.method, post.path]).toEqual(['POST', 'close_position'])
  expect(post.fields).toMatchObject({
    local_symbol: 'rb2701.SHFE',
    direction: 'long',
    volume: 2,
    client_order_id: id,
  })
  expect(post.fields.price).toBeUndefined()
  await post.answer({ order_id: '1_3_1', order_ids: ['1_3_1', '1_3_2'], msg: '平仓请求发送成功' })
  expect(await promise).toMatchObject({ state: 'known', order_ids: ['1_3_1', '1_3_2'] })
})

it('says the refusal of one leg of a close whose other leg left', async () => {
  const { post } = await sendOne({ ...WISH, closes: 'short' })
  const refused = [{ order_id: '1_3_2', error: 'CTP_51', msg: '平昨仓位不足' }]
  await post.answer({ order_id: '1_3_1', order_ids: ['1_3_1'], error: 'CTP_51', msg: '1 笔被拒', refused })
  expect(texts()).toEqual(['bad rb2701.SHFE 1 笔被拒'])
})

it('sends a double click once, and gives both the one order', async () => {
  const { sending, promise, post } = await sendOne()
  vi.advanceTimersByTime(250)
  const second = sending.send(WISH)
  expect(account.calls).toHaveLength(1)
  await post.answer({ order_id: '1_3_1' })
  expect(await second).toBe(await promise)
  expect(sending.sent).toHaveLength(1)
})

it('sends the same once within 300 ms even where the first was answered at once', async () => {
  const { sending, post } = await sendOne()
  await post.answer({ order_id: '1_3_1' })
  vi.advanceTimersByTime(299)
  void sending.send(WISH)
  expect(account.calls).toHaveLength(1)
  expect(texts().at(-1)).toContain('没有再发')
  vi.advanceTimersByTime(300)
  void sending.send(WISH)
  expect(account.calls).toHaveLength(2)
})

it('does not send the same again while the first has no answer, however long that takes', async () => {
  const { sending } = await sendOne()
  vi.advanceTimersByTime(5000)
  void sending.send(WISH)
  expect(account.calls).toHaveLength(1)
})

it('counts the guard from the last press, so that a held Enter sends one', async () => {
  const { sending, post } = await sendOne()
  await post.answer({ order_id: '1_3_1' })
  for (let pressed = 0; pressed < 100; pressed++) {
    vi.advanceTimersByTime(33)
    void sending.send(WISH)
  }
  expect(account.calls).toHaveLength(1)
})

it('takes a double click at a price that moved between the clicks for one', async () => {
  const { sending } = await sendOne()
  vi.advanceTimersByTime(120)
  void sending.send({ ...WISH, price: 3091 })
  expect(account.calls).toHaveLength(1)
})

it('does not forget an order without an answer over a later one at another price', async () => {
  const { sending } = await sendOne()
  vi.advanceTimersByTime(1000)
  void sending.send({ ...WISH, price: 3091 })
  vi.advanceTimersByTime(1000)
  void sending.send(WISH)
  expect(account.calls).toHaveLength(2)
})

it('takes other lots, the other side, or later another price for another order', async () => {
  const { sending } = await sendOne()
  vi.advanceTimersByTime(301)
  void sending.send({ ...WISH, price: 3091 })
  void sending.send({ ...WISH, volume: 1 })
  void sending.send({ ...WISH, direction: '空' })
  expect(account.calls).toHaveLength(4)
  expect(new Set(account.calls.map((call) => call.fields.client_order_id)).size).toBe(4)
})

it('sends nothing while the page is cut off, and says why', async () => {
  const sending = await begun()
  await account.emit('disconnect')
  const order = await sending.send(WISH)
  expect(account.calls).toHaveLength(0)
  expect(order).toMatchObject({ state: 'refused', message: '页面与服务器断开' })
})

it('has the order in its keeping before it leaves', async () => {
  const sending = await begun()
  void sending.send(WISH)
  const kept = sessionStorage.getItem('ctpbee.sending.sim-9999-demo')!
  expect(JSON.parse(kept)).toMatchObject([{ ...WISH, state: 'sending' }])
})

// ── what the answer says ──

it('tells a refusal with its advice', async () => {
  const { promise, post } = await sendOne()
  const answer = { success: false, msg: '资金不足', advice: '请减少手数', data: '', error: 'CTP_31' }
  await post.fail(new ApiError(answer, 200))
  expect(await promise).toMatchObject({ state: 'refused', message: '资金不足（请减少手数）' })
  expect(texts()).toEqual(['bad rb2701.SHFE 资金不足（请减少手数）'])
})

it('calls an order unknown where the counter is silent', async () => {
  const { sending, promise, post } = await sendOne()
  await post.answer({ error: 'ORDER_STATE_UNKNOWN', msg: '报单已发出，柜台未确认，请勿重复下单' })
  expect((await promise).state).toBe('unknown')
  expect(sending.unsettled).toHaveLength(1)
  expect(texts()[0]).toMatch(/^unsure /)
})

it('calls an order unknown where nobody answered', async () => {
  const { promise, post } = await sendOne()
  await post.fail(new NoAnswer('reset'))
  expect((await promise).state).toBe('unknown')
})

it.each([
  [500, 'INTERNAL'],
  [502, ''],
  [503, ''],
  [504, 'GATEWAY_TIMEOUT'],
])('does not take %d %s for a refusal: what lies behind it may have sent it', async (status, code) => {
  const { promise, post } = await sendOne()
  await post.fail(refusal('服务内部错误', status, code))
  expect((await promise).state).toBe('unknown')
})

it('takes the own words of the server that nothing was sent for a refusal', async () => {
  const { promise, post } = await sendOne()
  await post.fail(refusal('网关停顿', 503, 'GATEWAY_FROZEN'))
  expect((await promise).state).toBe('refused')
})

it('has the failure of code told, not swallowed', async () => {
  const { sending, promise, post } = await sendOne()
  const raised = expect(promise).rejects.toThrow('a bug')
  await post.fail(new TypeError('a bug'))
  await raised
  expect(sending.sent[0]!.state).toBe('unknown') // it may have left
})

// ── the row comes first ──

it('knows the order by its row before the answer comes', async () => {
  const { sending, post, id } = await sendOne()
  await account.orders({ client_order_id: id, order_id: '1_3_1', status: '未成交', status_msg: '' })
  expect(sending.sent[0]).toMatchObject({ state: 'known', order_id: '1_3_1' })
  await post.fail(new NoAnswer('cut'))
  expect(sending.sent[0]!.state).toBe('known')
  expect(texts()).toEqual([])
})

it('keeps what the row said over a later answer that knows less', async () => {
  const { sending, post, id } = await sendOne()
  await account.orders({ client_order_id: id, order_id: '1_3_1', status: '全部成交', status_msg: '' })
  await post.answer({ error: 'ORDER_STATE_UNKNOWN', order_id: '1_3_1' })
  expect(sending.sent[0]!.state).toBe('known')
  expect(texts()).toEqual([])
})

it('keeps a refusal that the row told over a lost answer', async () => {
  const { sending, post, id } = await sendOne()
  await account.orders({ client_order_id: id, order_id: '1', status: '拒单', status_msg: '价格超出涨停' })
  await post.fail(new NoAnswer('cut'))
  expect(sending.sent[0]).toMatchObject({ state: 'refused', message: '价格超出涨停' })
  expect(texts()).toEqual(['bad rb2701.SHFE 价格超出涨停'])
})

it('tells a refusal once where row and answer both bring it', async () => {
  const { post, id } = await sendOne()
  await account.orders({ client_order_id: id, order_id: '1', status: '拒单', status_msg: '资金不足' })
  await post.fail(refusal('资金不足'))
  expect(texts()).toHaveLength(1)
})

it.each(['提交中', '状态未知'] as const)('takes a row that says %s for no word', async (status) => {
  const { sending, post, id } = await sendOne()
  await post.answer({ error: 'ORDER_STATE_UNKNOWN' })
  await account.orders({ client_order_id: id, order_id: '1_3_1', status, status_msg: '' })
  vi.advanceTimersByTime(60_000)
  expect(sending.sent[0]!.state).toBe('unknown')
})

// ── what became of an unknown one ──

it('settles an unknown order by its row, says so, and takes the warning away', async () => {
  const { sending, post, id } = await sendOne()
  await post.answer({ error: 'ORDER_STATE_UNKNOWN', msg: '未确认' })
  await account.orders({ client_order_id: id, order_id: '1_3_1', status: '全部成交', status_msg: '全部成交' })
  expect(sending.unsettled).toHaveLength(0)
  expect(texts()).toEqual(['good rb2701.SHFE 未确认的报单有结果了：全部成交'])
})

it('says the refusal of an unknown order with the reason', async () => {
  const { post, id } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  await account.orders({ client_order_id: id, order_id: '1', status: '拒单', status_msg: '资金不足' })
  expect(texts()).toEqual(['bad rb2701.SHFE 资金不足'])
})

it('hears that an order came too late and was not sent', async () => {
  const { sending, post, id } = await sendOne()
  await post.answer({ error: 'ORDER_STATE_UNKNOWN' })
  const told = { error: 'NEVER_SENT_TOO_LATE', msg: '报单迟到，报单未发出', refused_by: 'us' }
  await account.emit('error', { ...told, client_order_id: 'of another page' })
  expect(sending.sent[0]!.state).toBe('unknown')
  await account.emit('error', { ...told, client_order_id: id })
  expect(sending.sent[0]).toMatchObject({ state: 'refused', message: '报单迟到，报单未发出' })
  expect(texts()).toEqual(['bad rb2701.SHFE 报单迟到，报单未发出'])
})

it('says that an order never arrived when neither list nor journal has it 10 s after', async () => {
  const { sending, post } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  await vi.advanceTimersByTimeAsync(9000)
  expect(account.calls).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(3000)
  expect(account.calls.at(-1)!.fields.since).toBe(7) // where the journal stood when it left
  await journal()
  expect(sending.sent[0]!.state).toBe('unknown')
  await given()
  expect(sending.sent[0]!.state).toBe('absent')
  expect(texts()).toEqual(['bad rb2701.SHFE 服务器没有收到过这张报单：没有到达，已作废，不会再发出'])
})

it('finds in the journal what the new trading day no longer lists', async () => {
  const { sending, post, id } = await sendOne()
  await post.fail(new NoAnswer('lid closed'))
  await account.orders() // a new day: its list is empty
  await vi.advanceTimersByTimeAsync(12_000)
  const row = { client_order_id: id, order_id: '1_3_1', status: '全部成交', status_msg: '全部成交' }
  await journal({ seq: 8, event: 'order_update', data: row })
  await journal()
  expect(sending.sent[0]).toMatchObject({ state: 'known', order_id: '1_3_1' })
})

it('reads the journal to its end before it says that something is not in it', async () => {
  const { sending, post, id } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  await vi.advanceTimersByTimeAsync(12_000)
  const other = { client_order_id: 'x', order_id: '9', status: '未成交' }
  await journal({ seq: 8, event: 'order_update', data: other })
  expect(account.calls.at(-1)!.fields.since).toBe(8)
  const row = { client_order_id: id, order_id: '1', status: '拒单', status_msg: '资金不足' }
  await journal({ seq: 9, event: 'order_update', data: row })
  await journal()
  expect(sending.sent[0]!.state).toBe('refused')
})

it('leaves it unknown where the journal cannot be asked, and asks again', async () => {
  const { sending, post } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  await vi.advanceTimersByTimeAsync(12_000)
  await account.calls.at(-1)!.fail(new NoAnswer('cut'))
  expect(sending.sent[0]!.state).toBe('unknown')
  await vi.advanceTimersByTimeAsync(2000)
  await journal()
  await account.calls.at(-1)!.fail(new NoAnswer('cut'))
  expect(sending.sent[0]!.state).toBe('unknown')
  await vi.advanceTimersByTimeAsync(2000)
  await journal()
  await given()
  expect(sending.sent[0]!.state).toBe('absent')
})

it('does not judge by a list of before the cut', async () => {
  const { sending, post } = await sendOne()
  await account.emit('disconnect')
  await post.fail(new NoAnswer('cut'))
  await vi.advanceTimersByTimeAsync(60_000)
  await account.emit('connect') // the socket is there, its snapshot is not
  await vi.advanceTimersByTimeAsync(120_000)
  expect(account.calls).toHaveLength(1)
  expect(sending.sent[0]!.state).toBe('unknown')
})

it.each([
  [{ state: 'refused', msg: '报单迟到' }, 'refused'],
  [{ state: 'accepted', msg: '全部成交' }, 'known'],
  [{ state: 'sent', msg: '' }, 'unknown'],
  [{ state: 'unknown', msg: '' }, 'unknown'],
])('believes the server that has the order after all: %o', async (answer, state) => {
  const { sending, post } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  await vi.advanceTimersByTimeAsync(12_000)
  await journal()
  await given({ voided: false, order_id: '1_3_1', ...answer })
  expect(sending.sent[0]!.state).toBe(state)
})

it('asks ever more seldom for an order that the server has and no list shows', async () => {
  const { sending, post } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  const asked: number[] = []
  for (let second = 1; second <= 300; second++) {
    await vi.advanceTimersByTimeAsync(1000)
    if (account.calls.at(-1)!.path !== 'events' || account.calls.length === 1 + 2 * asked.length) continue
    asked.push(second)
    await journal()
    await given({ voided: false, state: 'sent', msg: '' })
  }
  const pauses = asked.slice(1).map((second, at) => second - asked[at]!)
  expect(pauses.slice(0, 5)).toEqual([2, 4, 8, 16, 32])
  expect(Math.max(...pauses)).toBe(60)
  expect(sending.sent[0]!.state).toBe('unknown')
})

it.each([
  ['gateway', 'frozen'],
  ['gateway', 'lost'],
  ['td', 'lost'],
] as const)('does not judge while %s is %s', async (part, state) => {
  const { sending, post } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  await account.emit('status', { ...READY, [part]: { state, reason: '', since: '' } })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(account.calls).toHaveLength(1)
  expect(sending.sent[0]!.state).toBe('unknown')
})

it('takes back that an order never arrived when it does after all, loudly', async () => {
  const { sending, post, id } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  await vi.advanceTimersByTimeAsync(12_000)
  await journal()
  await given()
  await account.orders({ client_order_id: id, order_id: '1_3_1', status: '未成交', status_msg: '未成交' })
  expect(sending.sent[0]!.state).toBe('known')
  expect(texts().at(-1)).toMatch(/^unsure .*原以为没有到达/)
})

// ── the page is left and comes back; another tab ──

it('calls what was on its way when the page was left unknown, and never sends it again', async () => {
  const { id } = await sendOne()
  account.context.close()
  account = openFake('sim-9999-demo')
  const sending = await begun()
  expect(sending.sent).toMatchObject([{ client_order_id: id, state: 'unknown' }])
  await vi.advanceTimersByTimeAsync(5000)
  expect(account.calls).toHaveLength(0)
  await account.orders({ client_order_id: id, order_id: '1_3_1', status: '全部成交', status_msg: '' })
  expect(sending.sent[0]!.state).toBe('known')
})

it('keeps the end of an order whose answer comes after the account was left here', async () => {
  const { post } = await sendOne()
  account.context.close()
  await post.answer({ order_id: '1_3_1', msg: '成功下单' })
  account = openFake('sim-9999-demo')
  expect((await begun()).sent[0]).toMatchObject({ state: 'known', order_id: '1_3_1' })
})

it('leaves the orders of another account alone', async () => {
  const { id } = await sendOne()
  const other = openFake('sim-9999-other')
  const sending = useSending(other.context)
  await other.ready()
  await other.orders({ client_order_id: id, order_id: '5', status: '全部成交', status_msg: '' })
  expect(sending.sent).toEqual([])
  expect(useSending(account.context).sent[0]!.state).toBe('sending')
  other.context.close()
})

it('leaves rows of another tab alone: their ids are not its own', async () => {
  const sending = await begun()
  await account.orders({ client_order_id: 'p20261130-other', order_id: '5', status: '拒单', status_msg: 'x' })
  expect(sending.sent).toEqual([])
  expect(texts()).toEqual([])
})

it('forgets old orders, but none whose fate is open', async () => {
  const { sending, post } = await sendOne()
  await post.fail(new NoAnswer('cut'))
  for (let sent = 0; sent < 203; sent++) {
    vi.advanceTimersByTime(301)
    void sending.send({ ...WISH, price: sent })
    await account.calls.at(-1)!.answer({ order_id: String(sent) })
  }
  expect(sending.sent.length).toBeLessThanOrEqual(201)
  expect(sending.unsettled).toHaveLength(1)
})

it('starts with nothing where what it kept cannot be read', async () => {
  sessionStorage.setItem('ctpbee.sending.sim-9999-demo', '{not json')
  expect((await begun()).sent).toEqual([])
})
