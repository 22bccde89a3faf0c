import { mount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { h } from 'vue'

import { provideAccount } from '@/accounts/context'
import { useContracts } from '@/market/contracts'
import { useQuotes } from '@/market/quotes'
import { useBook } from '@/stores/book'
import { useWorkspace } from '@/stores/workspace'
import { fakeAccount, settled } from '@/testing/account'

import { useOpening } from './opening'

const LISTED = ['au2702.SHFE', 'rb2701.SHFE', 'rb2705.SHFE', 'm2705.DCE'].map((local_symbol) => {
  const [symbol, exchange] = local_symbol.split('.') as [string, string]
  return { local_symbol, symbol, exchange, product: symbol.replace(/\d+/, '') }
})
let fake: ReturnType<typeof fakeAccount>
beforeEach(() => {
  vi.useFakeTimers()
  localStorage.clear()
  fake = fakeAccount()
})
afterEach(() => fake.context.close())

/** A page whose workspace has this contract, once the contracts are listed. */
async function opened(symbol = '') {
  const { workspace } = useWorkspace(fake.context)
  workspace.symbol = symbol
  useBook(fake.context)
  useQuotes(fake.context)
  const contracts = useContracts(fake.context)
  const Screen = { setup: () => (useOpening(), () => h('i')) }
  const World = { setup: () => (provideAccount(fake.context), () => h(Screen)) }
  const wrapper = mount(World)
  await fake.ready()
  void contracts.load()
  await fake.calls.findLast(({ path }) => path === 'contract')!.answer({ data: { contracts: LISTED } })
  return { workspace, wrapper }
}

const quotes = (held: Record<string, number>) =>
  fake.emit(
    'ticks',
    Object.entries(held).map(([local_symbol, open_interest]) => ({
      local_symbol,
      open_interest,
      trading_day: '1',
    })),
  )

it('begins with the main month of a busy product, once the quotes of its months are there', async () => {
  const { workspace } = await opened()
  await vi.advanceTimersByTimeAsync(500)
  expect(workspace.symbol).toBe('')
  expect(fake.calls.filter(({ path }) => path === 'market').map(({ fields }) => fields.symbol)).toEqual([
    'rb2701.SHFE,rb2705.SHFE',
  ])
  await quotes({ 'rb2701.SHFE': 10, 'rb2705.SHFE': 90 })
  await vi.advanceTimersByTimeAsync(200)
  expect(workspace.symbol).toBe('rb2705.SHFE')
})

it('takes the nearest month where no quote comes', async () => {
  const { workspace } = await opened()
  await vi.advanceTimersByTimeAsync(2_100)
  expect(workspace.symbol).toBe('rb2701.SHFE')
})

it('begins with the product that was in view before: of an expired contract, or of another account', async () => {
  const { workspace } = await opened('m2601.DCE')
  await vi.advanceTimersByTimeAsync(2_100)
  expect(workspace.symbol).toBe('m2705.DCE')
  fake = fakeAccount('sim-9999-other')
  const other = await opened()
  await vi.advanceTimersByTimeAsync(2_100)
  expect(other.workspace.symbol).toBe('m2705.DCE')
})

it('begins with what the account holds', async () => {
  const { workspace } = await opened()
  await fake.emit('position', {
    data: [{ local_symbol: 'au2702.SHFE', local_position_id: 'au2702.SHFE.long' }],
  })
  await vi.advanceTimersByTimeAsync(200)
  expect(workspace.symbol).toBe('au2702.SHFE')
})

it('leaves what the trader has chosen meanwhile, and what was open', async () => {
  const { workspace, wrapper } = await opened()
  workspace.symbol = 'au2702.SHFE'
  await settled()
  await quotes({ 'rb2701.SHFE': 10, 'rb2705.SHFE': 90 })
  await vi.advanceTimersByTimeAsync(3_000)
  expect(workspace.symbol).toBe('au2702.SHFE')
  wrapper.unmount()
  expect(vi.getTimerCount()).toBe(0)
})
