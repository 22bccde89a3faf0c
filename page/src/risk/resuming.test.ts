import { mount } from '@vue/test-utils'
import { expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'

import { provideAccount } from '@/accounts/context'
import { useLink } from '@/link/link'
import { fakeAccount } from '@/testing/account'

import { useRiskStates } from './states'
import States from './States.vue'
import './words'

vi.useFakeTimers()
const ACTIVE = { state: 'active', who: '', when: '', why: '' } as const

it('lets a stopped account go on though what was asked for is of before', async () => {
  const fake = fakeAccount()
  useLink(fake.context)
  useRiskStates(fake.context)
  const World = defineComponent({
    setup() {
      provideAccount(fake.context)
      return () => h(States, { asked: { account: ACTIVE, strategies: {} } })
    },
  })
  const view = mount(World)
  await fake.ready()
  const resume = () => view.findAll('button').find((button) => button.text().startsWith('恢复'))!
  expect(resume().attributes('aria-disabled')).toBe('true')
  const halted = { ...ACTIVE, state: 'halted', who: '规则 net_loss' }
  await fake.emit('risk', { data: { states: { account: halted, strategies: {} } } })
  expect(view.text()).toContain('规则 net_loss')
  expect(resume().attributes('aria-disabled')).not.toBe('true')
  fake.context.close()
})
