import { expect, it } from 'vitest'

import { candidatesOf, changedOf, emptyForm, fieldsOf, formOf, rangeOf, valueOf, wrongOf } from './form'
import type { Job, Parameter } from './rows'
import './words'
import { emptySearch, requestOf, searchOf, trialsOf, valuesOf } from './space'

const parameter = (name: string, kind: Parameter['kind'], own: Parameter['default']): Parameter => ({
  ...{ name, kind, default: own },
})
const KNOWN = [parameter('fast', 'int', 5), parameter('ratio', 'float', 0.5), parameter('on', 'bool', true)]

it.each([
  ['12', 'int', 12],
  ['1.5', 'int', undefined],
  ['', 'int', undefined],
  ['1.5', 'float', 1.5],
  ['1e400', 'float', undefined],
  ['a', 'float', undefined],
  ['true', 'bool', true],
  ['yes', 'bool', undefined],
  [' a ', 'text', ' a '],
] as const)('%j as %s is %j', (text, type, value) => expect(valueOf(text, type)).toEqual(value))

it('sends the parameters that differ from the code alone', () => {
  const form = { ...emptyForm(), parameters: { fast: '8', ratio: '0.50', on: 'false', gone: '1' } }
  expect(changedOf(form, KNOWN)).toEqual({ fast: 8, on: false })
  expect(wrongOf({ ...form, parameters: { fast: 'x' } }, KNOWN)).toEqual(['fast'])
})

it('sends what belongs to bars with bars, and what belongs to ticks with ticks', () => {
  const form = { ...emptyForm(), strategy: '甲', contracts: ['rb2405.SHFE', 'm2405.DCE'], latency_ms: '5' }
  expect(fieldsOf(form, KNOWN)).toMatchObject({
    ...{ name: '甲', contracts: 'rb2405.SHFE,m2405.DCE', by: 'bars', spread_ticks: '1', parameters: '{}' },
    ...{ latency_ms: undefined, files: undefined, version: undefined, search: undefined },
  })
  const ticks = { ...form, source: 'files' as const, files: ['a.csv', 'b.csv'], by: 'ticks' as const }
  expect(fieldsOf(ticks, KNOWN)).toMatchObject({
    files: 'a.csv,b.csv',
    latency_ms: '5',
    spread_ticks: undefined,
  })
})

it('a product stands for its main contract, and files may not say what they have', () => {
  const form = {
    ...emptyForm(),
    contracts: ['rb', 'm2405.DCE'],
    symbol: 'rb2405.SHFE',
    label: 'end' as const,
  }
  expect(fieldsOf(form, [])).toMatchObject({
    ...{ main: 'rb', contracts: 'm2405.DCE', main_warm_up: '10', symbol: undefined, label: undefined },
  })
  const files = { ...form, source: 'files' as const, files: ['a.csv'], contracts: [] }
  expect(fieldsOf(files, [])).toMatchObject({
    ...{
      main: undefined,
      main_warm_up: undefined,
      contracts: undefined,
      symbol: 'rb2405.SHFE',
      label: 'end',
    },
  })
})

it('is filled in from a job as that was asked', () => {
  const fills = { latency_ms: null, spread_ticks: 2, slippage_ticks: 0, participation: 0.25 }
  const asked = {
    strategy: '甲',
    version: 3,
    contracts: ['rb2405.SHFE'],
    main: ['m'],
    files: [],
    by: 'bars' as const,
    ...{ id: '3f9c2b1a00d4e5f6', rates: true, symbol: '', label: '', main_warm_up: 4 },
  }
  const more = { start: '20240102', end: '', capital: 5e5, parameters: { fast: 8 }, fills, title: '甲' }
  const form = formOf({ ...asked, ...more, search: null } as unknown as Job)
  expect(form.contracts).toEqual(['rb2405.SHFE', 'm'])
  expect(form).toMatchObject({ version: '3', source: 'store', start: '2024-01-02', end: '', title: '' })
  expect(fieldsOf(form, KNOWN)).toMatchObject({
    ...{
      spread_ticks: '2',
      capital: '500000',
      parameters: '{"fast":8}',
      start: '2024-01-02',
      end: undefined,
      main_warm_up: '4',
      rates_of: '3f9c2b1a00d4e5f6',
    },
  })
  const other = { ...form, rates: 'product,since', ratesName: 'rates.csv' }
  expect(fieldsOf(other, KNOWN)).toMatchObject({ rates: 'product,since', rates_of: undefined })
})

it('tells from when to when all of the contracts have bars', () => {
  const bars = (local_symbol: string, first: string, last: string) => ({
    ...{ local_symbol, first: `${first} 09:00`, last: `${last} 15:00`, count: 1 },
  })
  const store = [
    bars('rb2405.SHFE', '2024-01-02', '2024-03-01'),
    bars('m2405.DCE', '2024-02-01', '2024-04-01'),
    bars('rb2505.SHFE', '2025-01-02', '2025-02-03'),
  ]
  const listed = new Map([['rb2505.SHFE', { name: '螺纹钢2505', product: 'rb' }]])
  const all = candidatesOf({ store, files: [], ticks: [] }, listed)
  expect(all.map(({ name, product }) => [name, product])).toEqual([
    ['', 'rb'],
    ['', 'm'],
    ['螺纹钢2505', 'rb'],
    ['主力连续', 'rb'],
    ['主力连续', 'm'],
  ])
  expect(rangeOf(['rb'], all)).toEqual({ first: '2024-01-02', last: '2025-02-03' })
  expect(rangeOf(['rb2405.SHFE', 'm2405.DCE'], all)).toEqual({ first: '2024-02-01', last: '2024-03-01' })
  expect(rangeOf(['rb2405.SHFE', 'rb2505.SHFE'], all)).toBeUndefined()
  expect(rangeOf(['cu2405.SHFE'], all)).toBeUndefined()
})

it.each([
  ['5:50:5', 10],
  ['5:50', 46],
  ['0.1:0.7:0.1', 7],
  ['5,10,20', 3],
  ['', 0],
  ['50:5:5', Number.NaN],
  ['5:x', Number.NaN],
  ['5:50:0', Number.NaN],
])('the axis %j has %j values', (text, count) => expect(valuesOf(text)).toBe(count))

it('a grid has the product of its axes, those that are empty left out', () => {
  expect(trialsOf({ fast: '5:15:5', slow: '20,40', other: ' ' })).toBe(6)
  expect(trialsOf({})).toBe(0)
  expect(trialsOf({ fast: '9:1' })).toBe(Number.NaN)
})

it('a search is asked for with what belongs to its kind, and comes back as the same form', () => {
  const form = { ...emptySearch(), space: { fast: '5:15:5', slow: '' }, where: 'fast<slow，fast>2' }
  const grid = { ...form, kind: 'grid' as const, out_of_sample: '2024-03-01', warm_up: '3' }
  expect(requestOf(grid)).toEqual({
    ...{ kind: 'grid', space: { fast: '5:15:5' }, where: ['fast<slow', 'fast>2'], objective: 'sharpe' },
    ...{ out_of_sample: '20240301', warm_up: 3 },
  })
  expect(requestOf({ ...form, kind: 'random', trials: 'many' })).toMatchObject({ trials: 'many', seed: 1 })
  const walked = { ...form, kind: 'walk_forward' as const, anchored: true }
  expect(requestOf(walked)).toMatchObject({ train: 60, test: 20, warm_up: 0, anchored: true })
  expect(requestOf(searchOf(requestOf(grid)))).toEqual(requestOf(grid))
  expect(requestOf(searchOf(requestOf(walked)))).toEqual(requestOf(walked))
  expect(searchOf(null).kind).toBe('run')
})
