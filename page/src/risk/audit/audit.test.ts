import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { NoAnswer } from '@/api/http'
import '@/risk/words'
import { fakeAccount, settled } from '@/testing/account'

import { detailsOf, useAudit } from './audit'

let fake: ReturnType<typeof fakeAccount>
let audit: ReturnType<typeof useAudit>
beforeEach(() => {
  vi.useFakeTimers()
  fake = fakeAccount()
  audit = useAudit(fake.context.api)
})
afterEach(() => fake.context.close())
const entry = (seq: number) => ({ seq, time: '', kind: 'run', text: '', data: {}, prev: '', hash: '' })
const page = (place: number | null, ...seqs: number[]) => ({
  data: { days: ['20261127', '20261130'], day: '20261130', entries: seqs.map(entry), place },
})

it('goes on where the page before ended, on the same day, though another one may have begun', async () => {
  void audit.load()
  await fake.calls[0]!.answer(page(77, 9, 8))
  void audit.older()
  expect(fake.calls[1]!.fields).toMatchObject({ day: '20261130', place: 77 })
  await fake.calls[1]!.answer(page(null, 7))
  expect(audit.entries.value.map(({ seq }) => seq)).toEqual([9, 8, 7])
  expect(audit.place.value).toBeNull()
})

it('shows what was asked for last, whichever answer comes last', async () => {
  void audit.load()
  audit.kind.value = 'error'
  void audit.load()
  expect(fake.calls[1]!.fields).toMatchObject({ kind: 'error' })
  await fake.calls[1]!.answer(page(null, 5))
  await fake.calls[0]!.answer(page(77, 9))
  expect(audit.entries.value.map(({ seq }) => seq)).toEqual([5])
})

it('keeps what is shown where the next page does not come, and says so', async () => {
  void audit.load()
  await fake.calls[0]!.answer(page(77, 9))
  void audit.older()
  await fake.calls[1]!.fail(new NoAnswer(''))
  await settled()
  expect(audit.entries.value).toHaveLength(1)
  expect(audit.failure.value).not.toBe('')
  expect(audit.busy.value).toBe(false)
})

it('has the data of an entry in short', () => {
  const data = { level: 'INFO', logger: 'account', local_symbol: 'rb2510.SHFE', price: 3000 }
  expect(detailsOf({ ...entry(1), kind: 'trade', data })).toBe('local_symbol=rb2510.SHFE price=3000')
})
