import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { ApiError } from '@/api/http'
import { useNotices } from '@/stores/notices'
import { fakeAccount, settled } from '@/testing/account'

import { useAsking } from './asking'
import { useJobs } from './jobs'
import type { Job } from './rows'
import { progressOf } from './telling'

const job = (id: string, changes: Partial<Job> = {}): Job => ({
  ...{ id, title: '甲', kind: 'run', state: '排队', strategy: '甲', version: 1, contracts: [], main: [] },
  ...{ by: 'bars', files: [], start: '', end: '', capital: 1e6, parameters: {}, rates: false, search: null },
  ...{ symbol: '', label: '', main_warm_up: 10 },
  ...{ fills: { latency_ms: null, spread_ticks: 1, slippage_ticks: 0, participation: 0.25 } },
  ...{ created: '2026-11-29 09:00:00', started: '', ended: '', place: 1, progress: null, error: null },
  ...{ figures: null, warnings: [], size: 0, ...changes },
})
const refusal = (msg: string, more = {}) => new ApiError({ success: false, msg, data: '', ...more }, 400)

let fake: ReturnType<typeof fakeAccount>
beforeEach(() => {
  vi.useFakeTimers()
  fake = fakeAccount()
})
afterEach(() => fake.context.close())

describe('the list', () => {
  it('keeps what an event told while it was on its way, a new one first', async () => {
    const jobs = useJobs(fake.context)
    const loading = jobs.load()
    await fake.emit('backtest', { data: job('a', { state: '运行' }) })
    await fake.emit('backtest', { data: { ...job('b'), deleted: true } })
    await fake.emit('backtest', { data: job('d') })
    await fake.calls[0]!.answer({ data: { jobs: [job('c'), job('b'), job('a')], most_kept: 100 } })
    await loading
    expect(jobs.rows.map(({ id, state }) => [id, state])).toEqual([
      ['d', '排队'],
      ['c', '排队'],
      ['a', '运行'],
    ])
    expect(jobs.kept).toEqual({ most_kept: 100 })
  })

  it('is asked for anew with each snapshot: events are not in it', async () => {
    useJobs(fake.context)
    await fake.emit('snapshot', { seq: 1 })
    expect(fake.calls.map(({ path }) => path)).toEqual(['backtest'])
  })

  it('cancels once however often it is pressed, and says why it was refused', async () => {
    const jobs = useJobs(fake.context)
    void jobs.cancel(job('a'))
    void jobs.cancel(job('a'))
    expect(fake.calls.map(({ method, fields }) => [method, fields])).toEqual([
      ['PUT', { id: 'a', operation: '取消' }],
    ])
    await fake.calls[0]!.fail(refusal('没有这次回测'))
    expect(jobs.busy).toEqual({})
    expect(useNotices().notices.map(({ text }) => text)).toEqual(['甲：没有这次回测'])
  })

  it('does not put the answer of a submit over what an event has told since', async () => {
    const jobs = useJobs(fake.context)
    const sending = jobs.submit({})
    await fake.emit('backtest', { data: job('a', { state: '完成' }) })
    await fake.calls[0]!.answer({ data: job('a') })
    expect(await sending).toBe('a')
    expect(jobs.rows.map(({ state }) => state)).toEqual(['完成'])
  })
})

describe('the form', () => {
  const known = [{ name: 'fast', default: 5, kind: 'int' }]

  async function chosen() {
    const asking = useAsking(fake.context)
    asking.begin({ strategy: '甲', contracts: ['rb2405.SHFE'] })
    void asking.loadParameters()
    await fake.calls[0]!.answer({ data: { name: '甲', parameters: known } })
    return asking
  }

  it('has the parameters of the strategy that is chosen now, whichever answer comes last', async () => {
    const asking = useAsking(fake.context)
    asking.begin({ strategy: '甲' })
    void asking.loadParameters()
    asking.form.strategy = '乙'
    void asking.loadParameters()
    await fake.calls[1]!.answer({ data: { name: '乙', parameters: [] } })
    await fake.calls[0]!.answer({ data: { name: '甲', parameters: known } })
    expect(asking.parameters).toEqual([])
  })

  it('puts a refusal at the field that it names', async () => {
    const asking = await chosen()
    const sending = asking.send()
    await fake.calls[1]!.fail(refusal('start 应不晚于 end', { parameter: 'start', error: 'BAD_INPUT' }))
    expect(await sending).toBe('')
    expect(asking.fault).toEqual({ parameter: 'start', text: 'start 应不晚于 end', line: 0 })
    expect(asking.isSending).toBe(false)
  })

  it('is not sent with a value that is none of its kind', async () => {
    const asking = await chosen()
    asking.form.parameters = { fast: 'quick' }
    expect(await asking.send()).toBe('')
    expect(asking.fault?.parameter).toBe('parameters.fast')
    expect(fake.calls).toHaveLength(1)
  })

  it('is sent once however often it is pressed, and answers the job', async () => {
    const asking = await chosen()
    const sending = asking.send()
    expect(await asking.send()).toBe('')
    await fake.calls[1]!.answer({ data: job('a') })
    await settled()
    expect(await sending).toBe('a')
    expect(fake.calls.filter(({ method, path }) => method === 'POST' && path === 'backtest')).toHaveLength(1)
  })
})

it('a job tells how far it is in words', () => {
  const progress = {
    stage: 'running' as const,
    percent: 40,
    trading_day: '20240117',
    rate: 152000.4,
    rest: 63,
  }
  const parts = progressOf(job('a', { state: '运行', progress: { ...progress, units: 1, units_done: 0 } }))
  expect(parts).toEqual(['2024-01-17', '152,000 根/秒', '还要 1:03'])
  const ticks = { ...progress, rest: null, units: 8, units_done: 3 }
  expect(progressOf(job('a', { state: '运行', by: 'ticks', progress: ticks }))).toEqual([
    ...['3/8 组', '2024-01-17', '152,000 笔/秒'],
  ])
  expect(progressOf(job('a', { place: 2 }))).toEqual(['排在第 2 位'])
  expect(progressOf(job('a', { state: '运行' }))).toEqual(['正在启动'])
})
