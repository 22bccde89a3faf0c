import { expect, it } from 'vitest'

import { clock, decimals, money, price, sign } from './format'

it('shows a price by its tick', () => {
  expect(price(3090, 1)).toBe('3090')
  expect(price(3090.2, 0.2)).toBe('3090.2')
  expect(price(612.34, 0.02)).toBe('612.34')
  expect(price(96.805, 0.005)).toBe('96.805')
})

it('shows no price where there is none', () => expect(price(0, 1)).toBe('–'))

it('counts the decimals of a tick', () => {
  expect([1, 5, 0.5, 0.02, 0.005].map(decimals)).toEqual([0, 0, 1, 2, 3])
})

it('shows no money as nothing, from whichever side', () => {
  expect([-0, -0.001, 1234.5, -2].map(money)).toEqual(['0.00', '0.00', '1,234.50', '-2.00'])
})

it('shows no time where none was said', () =>
  expect([clock('2026-11-30 09:00:01.500'), clock(null)]).toEqual(['09:00:01', '']))

it('has no colour for nothing', () => expect([1, -1, 0].map(sign)).toEqual(['up', 'down', '']))
