import { beforeEach, expect, it } from 'vitest'
import { nextTick } from 'vue'

import { dropPreset, EMPTY, keepPreset, presets, type Preset } from './presets'

beforeEach(() => (presets.value = []))

it('keeps one preset a name', () => {
  keepPreset({ ...EMPTY, name: 'mine', brokerid: '1' })
  keepPreset({ ...EMPTY, name: 'mine', brokerid: '2' })
  expect(presets.value.map(({ brokerid }) => brokerid)).toEqual(['2'])
  dropPreset('mine')
  expect(presets.value).toEqual([])
})

it('never keeps a password or a code', async () => {
  const form = { ...EMPTY, name: 'mine', password: 'hunter2', auth_code: 'ABCD1234', authorization: '000000' }
  keepPreset(form as Preset)
  await nextTick()
  const kept = localStorage.getItem('ctpbee.presets') ?? ''
  expect(kept).toContain('mine')
  for (const secret of ['hunter2', 'ABCD1234', '000000']) expect(kept).not.toContain(secret)
})
