import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { ApiError } from '@/api/http'
import { useNotices } from '@/stores/notices'
import { exampleFor } from '@/strategies/example'
import { FRESH, useDrafts } from '@/strategies/drafts'
import { joined } from '@/strategies/log'
import type { StrategyRow } from '@/strategies/rows'
import { useStrategies } from '@/strategies/strategies'
import { fakeAccount, settled } from '@/testing/account'

const row = (name: string, changes: Partial<StrategyRow> = {}): StrategyRow => ({
  name,
  state: '停止',
  status: '停止',
  pid: 0,
  version: 1,
  running_version: 0,
  memory: 0,
  started: '',
  updated: '',
  restarts: 0,
  shared: false,
  contained: false,
  error: null,
  ...changes,
})
const refusal = (msg: string, more = {}) => new ApiError({ success: false, msg, data: '', ...more }, 200)

let fake: ReturnType<typeof fakeAccount>
beforeEach(() => {
  vi.useFakeTimers()
  fake = fakeAccount()
})
afterEach(() => fake.context.close())

describe('the list', () => {
  it('keeps what an event told while the list was on its way', async () => {
    const strategies = useStrategies(fake.context)
    const loading = strategies.load()
    await fake.emit('strategy', { data: row('甲', { state: '运行中' }) })
    await fake.emit('strategy', { data: { ...row('乙'), deleted: true } })
    await fake.calls[0]!.answer({ data: [row('甲'), row('乙'), row('丙')] })
    await loading
    expect(strategies.rows.map(({ name, state }) => [name, state])).toEqual([
      ['甲', '运行中'],
      ['丙', '停止'],
    ])
  })

  it('sends an operation once however often it is pressed, and says why it was refused', async () => {
    const strategies = useStrategies(fake.context)
    void strategies.operate('甲', 'start')
    void strategies.operate('甲', 'start')
    expect(fake.calls.map(({ fields }) => fields)).toEqual([{ name: '甲', operation: '开启' }])
    expect(strategies.busy).toEqual({ 甲: 'start' })
    await fake.calls[0]!.fail(refusal('账户没有登录'))
    expect(strategies.busy).toEqual({})
    expect(useNotices().notices.map(({ kind, text }) => [kind, text])).toEqual([['bad', '甲：账户没有登录']])
  })

  it('asks what they earned of those that run alone', async () => {
    const strategies = useStrategies(fake.context)
    await fake.emit('strategy', { data: row('甲', { state: '运行中' }) })
    await fake.emit('strategy', { data: row('乙') })
    const loading = strategies.loadProfits()
    const profit = { net: 12, close_profit: 15, float_pnl: 0, commission: 3 }
    await fake.calls[0]!.answer({ data: { ...row('甲'), profit } })
    await loading
    expect(fake.calls.map(({ fields }) => fields.name)).toEqual(['甲'])
    expect(strategies.profits).toEqual({ 甲: profit })
  })
})

describe('a draft', () => {
  async function opened(name: string, text: string) {
    const drafts = useDrafts(fake.context)
    await fake.emit('strategy', { data: row(name) })
    void drafts.open(name)
    await fake.calls.at(-1)!.answer({ data: { [name]: text } })
    return drafts
  }

  it('that was changed is not overwritten by what is read again', async () => {
    const drafts = await opened('甲', 'a = 1')
    drafts.change('甲', { text: 'a = 2' })
    void drafts.open('甲')
    await settled()
    expect(fake.calls).toHaveLength(1)
    expect(drafts.of('甲')!.text).toBe('a = 2')
    expect(drafts.unsaved).toEqual(['甲'])
  })

  it('keeps what was typed while it was being saved, as unsaved', async () => {
    const drafts = await opened('甲', 'a = 1')
    drafts.change('甲', { text: 'a = 2' })
    const saving = drafts.save('甲')
    drafts.change('甲', { text: 'a = 23' })
    await fake.calls.at(-1)!.answer({ name: '甲', version: 2 })
    expect(await saving).toBe('甲')
    expect(drafts.of('甲')).toMatchObject({ text: 'a = 23', saved: 'a = 2', version: 2, isSaving: false })
    expect(drafts.isDirty('甲')).toBe(true)
  })

  it('that is refused stays as it is, with the reason and its line', async () => {
    const drafts = await opened('甲', 'a = 1')
    drafts.change('甲', { text: 'a =' })
    const saving = drafts.save('甲')
    await fake.calls.at(-1)!.fail(refusal('添加失败：invalid syntax', { line: 1 }))
    expect(await saving).toBe('')
    expect(drafts.of('甲')).toMatchObject({ text: 'a =', failure: '添加失败：invalid syntax', line: 1 })
  })

  it('saved under another name is that strategy; the old one is as the server has it', async () => {
    const drafts = await opened('甲', 'a = 1')
    drafts.change('甲', { text: 'b = 1' })
    const saving = drafts.save('甲')
    await fake.calls.at(-1)!.answer({ name: '乙', version: 1 })
    expect(await saving).toBe('乙')
    expect(drafts.of('甲')!.text).toBe('a = 1')
    expect(drafts.of('乙')!.text).toBe('b = 1')
    expect(drafts.unsaved).toEqual([])
  })

  it('keeps the page from being closed while it is not saved', async () => {
    const drafts = await opened('甲', 'a = 1')
    const leave = () => !dispatchEvent(new Event('beforeunload', { cancelable: true }))
    expect(leave()).toBe(false)
    drafts.change('甲', { text: 'a = 2' })
    expect(leave()).toBe(true)
    fake.context.close()
    expect(leave()).toBe(false)
  })

  it('of a new one is the example under a free name', async () => {
    const drafts = useDrafts(fake.context)
    await fake.emit('strategy', { data: row('我的策略') })
    await drafts.open(FRESH)
    expect(drafts.of(FRESH)!.text).toMatch(/^ext = DoubleAverage\("我的策略2", "rb", 3, 8\)$/m)
  })
})

it('the example has one ext, and gets the name', () => {
  expect(exampleFor(() => false).match(/^ext = .*$/gm)).toEqual([
    'ext = DoubleAverage("我的策略", "rb", 3, 8)',
  ])
})

describe('a log', () => {
  const line = (message: string) => ({ created: '2026-01-01 09:00:00.000', levelname: 'INFO', message })
  const lines = (text: string) => [...text].map(line)
  it.each([
    ['abc', 'cd', 'abcd'],
    ['abc', 'bc', 'abc'],
    ['abc', 'de', 'abcde'],
    ['aa', 'aaa', 'aaa'],
    ['', 'ab', 'ab'],
  ])('of the page %s and the heard %s is %s', (page, heard, all) => {
    expect(joined(lines(page), lines(heard))).toEqual(lines(all))
  })
})
