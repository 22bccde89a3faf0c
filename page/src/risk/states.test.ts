import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { fakeAccount } from '@/testing/account'
import { useTicket } from '@/trade/ticket'

import { useRiskStates } from './states'

const ACTIVE = { state: 'active', who: '', when: '', why: '' }
const told = (state: string) => ({ state, who: '网页', when: '2026-11-30 09:00:00.000', why: '试一试' })

let fake: ReturnType<typeof fakeAccount>
let risk: ReturnType<typeof useRiskStates>
beforeEach(() => {
  vi.useFakeTimers()
  fake = fakeAccount()
  risk = useRiskStates(fake.context)
})
afterEach(() => fake.context.close())
const event = (account: object, strategies = {}) =>
  fake.emit('risk', { data: { states: { account, strategies } } })

it('knows the states of the snapshot, and then of each event, and asks nothing', async () => {
  await fake.emit('snapshot', { seq: 1, states: { account: told('halted'), strategies: {} } })
  expect(risk.noOrders).toBe('账户暂停交易（网页，试一试，2026-11-30 09:00:00）')
  await event(ACTIVE)
  expect(risk.stopped).toEqual([])
  expect(risk.noOrders).toBe('')
  expect(fake.calls).toEqual([])
})

it.each([
  ['active', false, false],
  ['reduce_only', true, false],
  ['halted', true, true],
])('in state %s', async (state, opens, closes) => {
  await event(told(state))
  expect(Boolean(risk.whyNot('开'))).toBe(opens)
  expect(Boolean(risk.whyNot('平今'))).toBe(closes)
})

it('stops no order by hand for a strategy, which is told all the same', async () => {
  await event(ACTIVE, { mine: told('halted'), other: ACTIVE })
  expect(risk.stopped.map(({ name }) => name)).toEqual(['mine'])
  expect(risk.noOpens).toBe('')
})

it('is why the ticket sends no open', async () => {
  const ticket = useTicket(fake.context)
  await fake.ready()
  await event(told('reduce_only'))
  const wish = { local_symbol: 'rb2510.SHFE', direction: '多', type: '限价', volume: 1, price: 1 } as const
  expect(ticket.whyNot({ ...wish, offset: '开' })).toContain('只可平仓')
  expect(ticket.whyNot({ ...wish, offset: '平' })).not.toContain('只可平仓')
})
