/** The account's backtests, the newest first: as the server lists them, and as its events tell of each since. */
import { computed, ref, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { NoAnswer, wordsOf, type Fields } from '@/api/http'
import type { Backtests } from '@/api/types'
import { t } from '@/i18n'
import { useNotices } from '@/stores/notices'
import { without } from '@/strategies/without'

import './words'
import type { Job, Kept } from './rows'

export const useJobs = defineAccountStore('backtests', ({ api, socket }) => {
  const notices = useNotices()
  const rows = shallowRef<readonly Job[]>([])
  const kept = shallowRef<Kept>()
  /** What is being done with which. */
  const busy = shallowRef<Readonly<Record<string, 'cancel' | 'remove'>>>({})
  const failure = ref('')
  const isLoaded = ref(false)
  const byId = computed(() => new Map(rows.value.map((row) => [row.id, row])))
  /** What an event told of while the list was on its way: the event is the newer. */
  let told = new Map<string, Job | undefined>()

  socket.on('backtest', ({ data }) => hear(data.id, data.deleted ? undefined : (data as Job)))
  socket.on('snapshot', () => void load())

  function hear(id: string, row: Job | undefined): void {
    told.set(id, row)
    rows.value = withJob(rows.value, id, row)
  }

  async function load(): Promise<void> {
    told = new Map()
    try {
      const { jobs, ...rest } = await api.data<Backtests>('GET', 'backtest')
      let list = jobs as readonly Job[]
      for (const [id, row] of told) list = withJob(list, id, row)
      rows.value = list
      kept.value = rest
      failure.value = ''
      isLoaded.value = true
    } catch (error) {
      failure.value = wordsOf(error, t('common.silence'))
    }
  }

  /** Its id. Raises ApiError or NoAnswer. */
  async function submit(fields: Fields): Promise<string> {
    const row = await api.data<Job>('POST', 'backtest', fields)
    if (!told.has(row.id)) hear(row.id, row) // an event may have told more of it by now
    return row.id
  }

  const cancel = (row: Job) =>
    doing(row, 'cancel', async () => {
      hear(row.id, await api.data<Job>('PUT', 'backtest', { id: row.id, operation: '取消' }))
    })

  const remove = (row: Job) =>
    doing(row, 'remove', async () => {
      await api.call('DELETE', 'backtest', { id: row.id })
      hear(row.id, undefined)
    })

  async function doing(row: Job, what: 'cancel' | 'remove', work: () => Promise<void>): Promise<void> {
    if (busy.value[row.id]) return
    busy.value = { ...busy.value, [row.id]: what }
    try {
      await work()
    } catch (error) {
      notices.show('bad', `${row.title}：${wordsOf(error, t('common.silence'))}`)
      if (error instanceof NoAnswer) void load()
    } finally {
      busy.value = without(busy.value, row.id)
    }
  }

  return { rows, byId, kept, busy, failure, isLoaded, load, submit, cancel, remove }
})

/** The list with this job as it now is; a new one is the first; without it where there is none. */
export function withJob(rows: readonly Job[], id: string, row: Job | undefined): readonly Job[] {
  const at = rows.findIndex((one) => one.id === id)
  if (!row) return rows.filter((one) => one.id !== id)
  return at < 0 ? [row, ...rows] : rows.with(at, row)
}
