import { describe, expect, it } from 'vitest'

import type { RiskMeasure, RiskRule, RiskSwitch } from '@/api/types'

import { blankRule, entryOf, fitted, formOf, isDefault, OFF, switchEntry, switchForm, withOne } from './rule'

const MEASURES: RiskMeasure[] = [
  { measure: 'orders', text: '', of: 'day', scopes: ['account', 'contract'], actions: ['warn', 'refuse'] },
  { measure: 'flow', text: '', of: 'rate', scopes: ['account'], actions: ['warn', 'delay'] },
]
const RULE: RiskRule = {
  id: 'cancels.SHFE',
  measure: 'cancels',
  text: '当日撤单笔数',
  scope: 'contract',
  name: '',
  exchange: 'SHFE',
  products: [],
  limit: 500,
  warn: 0.8,
  action: 'warn',
  seconds: 0,
  source: '上期所',
  date: '2019-01-01',
  entry: 0,
}

describe('a rule in its form', () => {
  it('of a default changes its numbers alone, and names it', () => {
    const form = { ...formOf(RULE), limit: '300', action: 'refuse' }
    expect(entryOf(form, RULE)).toEqual({ id: 'cancels.SHFE', limit: 300, warn: 0.8, action: 'refuse' })
    expect(entryOf({ ...form, action: OFF }, RULE)).toEqual({ id: 'cancels.SHFE', action: 'off' })
  })

  it('of the own ones is whole, and keeps its id', () => {
    const own = { id: 'mine', measure: 'orders', limit: 5 }
    const rule = { ...RULE, id: 'mine', measure: 'orders', limit: 5, entry: 1 }
    expect(isDefault(own)).toBe(false)
    expect(entryOf({ ...formOf(rule), name: ' rb2510 ' }, rule, own)).toEqual({
      id: 'mine',
      measure: 'orders',
      scope: 'contract',
      name: 'rb2510',
      limit: 5,
      warn: 0.8,
      action: 'warn',
    })
  })

  it('sends what is no number as it was typed: the server says at which field', () => {
    const form = { ...blankRule(MEASURES), limit: 'five', warn: '' }
    expect(entryOf(form)).toMatchObject({ limit: 'five', warn: 0 })
    expect(entryOf({ ...form, limit: ' ' })).toMatchObject({ limit: '' })
  })

  it('has only what its measure may have', () => {
    const form = { ...blankRule(MEASURES), scope: 'contract', name: 'rb2510', action: 'refuse' }
    expect(fitted(form, MEASURES)).toEqual(form)
    expect(fitted({ ...form, measure: 'flow' }, MEASURES)).toMatchObject({
      scope: 'account',
      name: '',
      action: 'warn',
      seconds: '1',
    })
  })
})

it('takes its place among the others, at the end, or away', () => {
  const [a, b, c] = [{ id: 'a' }, { id: 'b' }, { id: 'c' }]
  expect(withOne([a, b], 0, c)).toEqual([c, b])
  expect(withOne([a, b], undefined, c)).toEqual([a, b, c])
  expect(withOne([a, b], 1)).toEqual([a])
})

it('puts of a switch what whom it watches has', () => {
  const row: RiskSwitch = {
    watch: 'market',
    name: '',
    seconds: 30,
    action: 'cancel',
    contracts: 'rb2510.SHFE',
    text: '行情',
    state: 'watching',
    silent: 1,
  }
  const form = switchForm(row)
  expect(switchEntry(form)).toEqual({
    watch: 'market',
    seconds: 30,
    action: 'cancel',
    contracts: 'rb2510.SHFE',
  })
  expect(switchEntry({ ...form, watch: 'script', name: '' })).toEqual({
    watch: 'script',
    name: '',
    seconds: 30,
    action: 'cancel',
  })
})
