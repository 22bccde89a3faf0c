import { beforeEach, expect, it, vi } from 'vitest'

import { NoAnswer } from '@/api/http'
import { fakeAccount } from '@/testing/account'

import { useGap } from './gap'
import { useLink } from './link'

vi.useFakeTimers()

let account: ReturnType<typeof fakeAccount>
let gap: ReturnType<typeof useGap>

beforeEach(async () => {
  vi.setSystemTime(0)
  account = fakeAccount()
  useLink(account.context)
  gap = useGap(account.context)
  await account.emit('snapshot', { seq: 7 })
  await account.emit('order_update', { seq: 8, data: {} })
})

async function away(seconds: number): Promise<void> {
  await account.emit('disconnect', 'transport close')
  vi.setSystemTime(seconds * 1000)
  await account.emit('connect', undefined)
  await account.emit('snapshot', { seq: 11 })
}

it('asks for nothing when the page has just come', () => expect(account.calls).toEqual([]))

it('closes with what the journal has since the last that was heard', async () => {
  await away(12)
  const [call] = account.calls
  expect([call!.method, call!.path, call!.fields]).toEqual(['GET', 'events', { since: 8 }])
  const events = ['order_update', 'trade_update', 'order_update'].map((event) => ({
    event,
    seq: 9,
    data: {},
  }))
  await call!.answer({ data: { seq: 11, events } })
  expect(gap.last).toEqual({ seconds: 12, orders: 2, trades: 1, known: true })
})

it('says so when the journal could not be asked', async () => {
  await away(3)
  await account.calls[0]!.fail(new NoAnswer('cut'))
  expect(gap.last).toEqual({ seconds: 3, orders: 0, trades: 0, known: false })
})

it('closes one of an account that has no journal yet', async () => {
  const other = fakeAccount('sim-9999-new')
  useLink(other.context)
  useGap(other.context)
  await other.emit('disconnect', 'transport close')
  await other.emit('snapshot', { seq: 0 })
  expect(other.calls).toEqual([])
  await other.emit('disconnect', 'transport close')
  await other.emit('snapshot', { seq: 0 })
  expect(other.calls.map(({ fields }) => fields)).toEqual([{ since: 0 }])
})
