import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { NoAnswer } from '@/api/http'
import { REST_MS, useRisk } from '@/risk/risk'
import { fakeAccount } from '@/testing/account'

let fake: ReturnType<typeof fakeAccount>
beforeEach(() => {
  vi.useFakeTimers()
  fake = fakeAccount()
})
afterEach(() => fake.context.close())

it('asks nothing while nobody looks', async () => {
  useRisk(fake.context)
  await fake.emit('risk', {})
  await vi.advanceTimersByTimeAsync(REST_MS)
  expect(fake.calls).toHaveLength(0)
})

it('asks once for what happens in a row, and again for what happens after', async () => {
  const risk = useRisk(fake.context)
  risk.watched = true
  for (let n = 0; n < 20; n++) await fake.emit('order_update', {})
  await vi.advanceTimersByTimeAsync(REST_MS)
  expect(fake.calls).toHaveLength(1)
  await fake.emit('risk', {})
  await vi.advanceTimersByTimeAsync(REST_MS)
  expect(fake.calls).toHaveLength(2)
})

it('says why the counts are not there, and no more once they are', async () => {
  const risk = useRisk(fake.context)
  const loading = risk.load()
  await fake.calls[0]!.fail(new NoAnswer('GET risk'))
  await loading
  expect(risk.trouble).not.toBe('')
  const again = risk.load()
  await fake.calls[1]!.answer({ data: { trading_day: '20261130' } })
  await again
  expect(risk.trouble).toBe('')
  expect(risk.seen?.trading_day).toBe('20261130')
})
