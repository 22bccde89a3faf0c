import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { useBook } from '@/stores/book'
import { fakeAccount, READY, settled } from '@/testing/account'

const LOST = { ...READY, td: { ...READY.td, state: 'lost' as const } }

let fake: ReturnType<typeof fakeAccount>
beforeEach(() => {
  vi.useFakeTimers()
  fake = fakeAccount()
})
afterEach(() => fake.context.close())

async function loadedDuringOutage() {
  const book = useBook(fake.context)
  await fake.emit('status', LOST)
  const loading = book.load()
  await fake.calls[0]!.answer({ data: { log_history: [], as_of: '2026-11-30 10:00:00.000' } })
  await loading
  return book
}

it('marks lists of before an outage until the front is back', async () => {
  const book = await loadedDuringOutage()
  expect(book.asOf).toBe('2026-11-30 10:00:00.000')
  await fake.emit('status', READY)
  await fake.calls[1]!.answer({ data: { log_history: [], as_of: '' } })
  expect(book.asOf).toBe('')
})

it('asks again for nothing else', async () => {
  const book = useBook(fake.context)
  await fake.emit('status', READY)
  await fake.emit('status', READY)
  await settled()
  expect(fake.calls).toHaveLength(0)
  expect(book.asOf).toBe('')
})
