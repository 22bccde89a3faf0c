import { expect, it } from 'vitest'

import { asForm, changes, type Config } from './keys'

const config: Config = {
  REFRESH_INTERVAL: 3,
  INSTRUMENT_INDEPEND: false,
  SLIPPAGE_BUY: 0,
  SLIPPAGE_SHORT: -0.5,
  SLIPPAGE_COVER: 0,
  SLIPPAGE_SELL: 0,
  CLOSE_PATTERN: 'today',
  SHARED_FUNC: true,
}

it('a switch is 1 or 0 in the form, a number its text', () => {
  expect(asForm(config)).toMatchObject({ INSTRUMENT_INDEPEND: '0', SHARED_FUNC: '1', SLIPPAGE_SHORT: '-0.5' })
})

it('only what was changed is sent', () => {
  const kept = asForm(config)
  expect(changes(kept, { ...kept, REFRESH_INTERVAL: '', SHARED_FUNC: '0' })).toEqual({
    REFRESH_INTERVAL: '',
    SHARED_FUNC: '0',
  })
  expect(changes(kept, { ...kept })).toEqual({})
})
