import { mount } from '@vue/test-utils'
import { beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h, nextTick } from 'vue'

import { provideAccount } from '@/accounts/context'
import { ApiError } from '@/api/http'
import { useLink } from '@/link/link'
import * as server from '@/login/server'
import { fakeAccount, settled } from '@/testing/account'

import SettlementPrompt from './SettlementPrompt.vue'

vi.useFakeTimers()
const STATEMENT = { day: '20250604', text: '<b>结算单</b>' }

beforeEach(() => {
  sessionStorage.clear()
  HTMLDialogElement.prototype.showModal = vi.fn()
})

async function shown(id: string, byItself: boolean) {
  vi.spyOn(server, 'askOffer').mockResolvedValue({ settlement_confirm: byItself } as server.ServerOffer)
  const account = fakeAccount(id)
  useLink(account.context)
  const World = defineComponent({
    setup() {
      provideAccount(account.context)
      return () => h(SettlementPrompt)
    },
  })
  const wrapper = mount(World)
  await account.ready()
  await settled()
  return { account, wrapper }
}

it('shows the statement as text where a trader has to confirm it, and confirms it once', async () => {
  const { account, wrapper } = await shown('ctp-9999-1', false)
  await account.calls.find(({ path }) => path === 'settlement')!.answer({ data: STATEMENT })
  await nextTick()
  expect(wrapper.find('pre').text()).toBe('<b>结算单</b>')
  await wrapper
    .findAll('button')
    .find((button) => button.text() === '确认结算单')!
    .trigger('click')
  const sent = account.calls.filter(({ path, method }) => path === 'settlement' && method === 'POST')
  expect(sent).toHaveLength(1)
  await sent[0]!.answer({ msg: '结算单已确认' })
  await nextTick()
  expect(wrapper.find('pre').exists()).toBe(false)
  expect(sessionStorage.getItem('ctpbee.confirmed.ctp-9999-1')).toBe('20250604')
})

it('has it confirmed too where the counter has no statement of the account', async () => {
  const { account, wrapper } = await shown('ctp-9999-1', false)
  const none = { success: false, error: 'NO_SETTLEMENT', msg: '柜台没有结算单', data: '' }
  await account.calls.find(({ path }) => path === 'settlement')!.fail(new ApiError(none, 404))
  await nextTick()
  expect(wrapper.find('pre').text()).toContain('没有这个账户的结算单')
  await wrapper
    .findAll('button')
    .find((button) => button.text() === '确认结算单')!
    .trigger('click')
  expect(account.calls.filter(({ method }) => method === 'POST')).toHaveLength(1)
})

it('asks for none where the server confirms by itself', async () => {
  const { account } = await shown('ctp-9999-1', true)
  expect(account.calls.filter(({ path }) => path === 'settlement')).toEqual([])
})
