import { beforeEach, describe, expect, it, vi } from 'vitest'

import { fakeAccount } from '@/testing/account'

import { useLink } from './link'

vi.useFakeTimers()

const part = (state: string, reason = '') => ({ state, reason, since: '2025-06-05 10:00:00.000' })
const status = (changes: object = {}) => {
  const parts = { td: part('ready'), md: part('ready'), store: part('up'), calendar: part('sure') }
  return { ...parts, gateway: part('connected'), ...changes }
}

describe('what is of now', () => {
  let account: ReturnType<typeof fakeAccount>
  let link: ReturnType<typeof useLink>
  beforeEach(async () => {
    account = fakeAccount()
    link = useLink(account.context)
    await account.emit('status', status())
    await account.emit('snapshot', { seq: 7 })
  })

  it('is everything once the snapshot is there', async () => {
    expect([link.cut, link.noTrade, link.noQuotes, link.seq]).toEqual(['', '', '', 7])
  })

  it('is nothing while the page is cut off, nor when it is back before the new snapshot is', async () => {
    await account.emit('disconnect', 'transport close')
    expect(link.cut).toContain('断开')
    await account.emit('connect', undefined)
    await account.emit('status', status())
    expect(link.cut).not.toBe('')
    await account.emit('snapshot', { seq: 9 })
    expect(link.cut).toBe('')
  })

  it('is nothing while the gateway is away, and no order goes out', async () => {
    await account.emit('status', status({ gateway: part('lost') }))
    expect([link.cut, link.noTrade]).toEqual(['网关不在', '网关不在'])
  })

  it('are the quotes alone while the trade front is away', async () => {
    await account.emit('status', status({ td: part('lost', '网络断开') }))
    expect([link.cut, link.noTrade, link.noQuotes]).toEqual(['', '交易前置未就绪：网络断开', ''])
  })
})
