import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { ApiError, NoAnswer } from '@/api/http'
import '@/risk/words'
import { fakeAccount, settled } from '@/testing/account'

import { useRuleChanges, type Fault } from './changing'

const OWN = [{ id: 'repeat', action: 'off' }]
let fake: ReturnType<typeof fakeAccount>
let changes: ReturnType<typeof useRuleChanges>
beforeEach(() => {
  vi.useFakeTimers()
  fake = fakeAccount()
  changes = useRuleChanges(fake.context)
})
afterEach(() => fake.context.close())
const puts = () => fake.calls.filter(({ method }) => method === 'PUT')

/** What a change of all rules came to; `now`: what the server has by then. */
async function put(now: object[], answer: (call: (typeof fake.calls)[number]) => Promise<void>) {
  let fault: Fault | undefined | 'open' = 'open'
  void changes.put('rules', OWN, []).then((came) => (fault = came))
  await fake.calls[0]!.answer({ data: { own: now, switches: [] } })
  if (puts()[0]) await answer(puts()[0]!)
  await settled()
  return fault
}

it('puts all of them anew, and reads what is in force by then', async () => {
  expect(await put(OWN, (call) => call.answer({}))).toBeUndefined()
  expect(puts()[0]!.fields).toEqual({ rules: '[]' })
  expect(fake.calls.at(-1)).toMatchObject({ method: 'GET', path: 'risk' })
})

it('puts nothing where somebody else has changed them since they were looked at', async () => {
  expect(await put([...OWN, { id: 'mine' }], () => Promise.resolve())).toMatchObject({ field: '' })
  expect(puts()).toEqual([])
})

it('says at which field it was refused', async () => {
  const refused = {
    success: false,
    error: 'BAD_INPUT',
    msg: '第 1 条规则：limit 应为数字',
    data: '',
    field: 'limit',
  }
  const fault = await put(OWN, (call) => call.fail(new ApiError(refused, 400)))
  expect(fault).toEqual({ field: 'limit', text: '第 1 条规则：limit 应为数字' })
})

const GATEWAY_SILENT = { error: 'RISK_STATE_UNKNOWN', msg: '没有得到应答' }
const BREAKS: [string, (call: (typeof fake.calls)[number]) => Promise<void>][] = [
  ['the line breaks', (call) => call.fail(new NoAnswer(''))],
  ['the gateway is gone', (call) => call.answer(GATEWAY_SILENT)],
]
const reads = () => fake.calls.filter(({ method }) => method === 'GET')

it.each(BREAKS)('says that it is not known where %s, once it has read again', async (_, breaks) => {
  let fault: Fault | undefined | 'open' = 'open'
  void changes.put('rules', OWN, []).then((came) => (fault = came))
  await reads()[0]!.answer({ data: { own: OWN, switches: [] } })
  await breaks(puts()[0]!)
  expect(fault).toBe('open')
  await reads()[1]!.answer({ data: { own: OWN, switches: [] } })
  expect(fault).toEqual({
    field: '',
    text: expect.stringMatching(/不知道是否已保存.*刚重新读取.*还是原来的/),
  })
  expect(changes.busy).toBe(false)
})

it.each(BREAKS)('says that it was saved where %s and it is in force by then', async (_, breaks) => {
  let fault: Fault | undefined | 'open' = 'open'
  void changes.put('rules', OWN, []).then((came) => (fault = came))
  await reads()[0]!.answer({ data: { own: OWN, switches: [] } })
  await breaks(puts()[0]!)
  await reads()[1]!.answer({ data: { own: [], switches: [] } })
  expect(fault).toBeUndefined()
})

it('says so too where that cannot be read either', async () => {
  let fault: Fault | undefined | 'open' = 'open'
  void changes.put('rules', OWN, []).then((came) => (fault = came))
  await reads()[0]!.answer({ data: { own: OWN, switches: [] } })
  await BREAKS[0]![1](puts()[0]!)
  await reads()[1]!.fail(new NoAnswer(''))
  expect(fault).toEqual({ field: '', text: expect.stringMatching(/不知道是否已保存.*也没有读到/) })
})

it('says that nothing was changed where what is in force cannot be read at first', async () => {
  let fault: Fault | undefined | 'open' = 'open'
  void changes.put('rules', OWN, []).then((came) => (fault = came))
  await reads()[0]!.fail(new NoAnswer(''))
  expect(fault).toEqual({ field: '', text: expect.stringContaining('什么也没有改') })
  expect(puts()).toEqual([])
})
