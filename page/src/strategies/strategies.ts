/** The account's strategies: their states as the server tells them, what they earned, and starting and ending them. */
import { computed, ref, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { ApiError, NoAnswer, wordsOf } from '@/api/http'
import { t } from '@/i18n'
import { useNotices } from '@/stores/notices'
import { runs, type Profit, type StrategyDetail, type StrategyRow } from '@/strategies/rows'
import { without } from '@/strategies/without'

export const OPERATIONS = { start: '开启', stop: '关闭', restart: '重启' } as const
export type Operation = keyof typeof OPERATIONS

export const useStrategies = defineAccountStore('strategies', ({ api, socket }) => {
  const notices = useNotices()
  const rows = shallowRef<readonly StrategyRow[]>([])
  const profits = shallowRef<Readonly<Record<string, Profit>>>({})
  /** What is being done with which. */
  const busy = shallowRef<Readonly<Record<string, Operation | 'remove'>>>({})
  const failure = ref('')
  const isLoaded = ref(false)
  const byName = computed(() => new Map(rows.value.map((row) => [row.name, row])))
  /** Those that an event told of while the list was on its way: the event is the newer. */
  let told = new Map<string, StrategyRow | undefined>()

  socket.on('strategy', ({ data }) => {
    const row = data.deleted ? undefined : data
    told.set(data.name, row)
    rows.value = withRow(rows.value, data.name, row)
  })

  async function load(): Promise<void> {
    told = new Map()
    try {
      let list: readonly StrategyRow[] = await api.data<StrategyRow[]>('GET', 'strategy')
      for (const [name, row] of told) list = withRow(list, name, row)
      rows.value = list
      failure.value = ''
      isLoaded.value = true
    } catch (error) {
      failure.value = wordsOf(error, t('common.silence'))
    }
  }

  /** What those that run have earned, asked one after another. One that cannot be told keeps none. */
  async function loadProfits(): Promise<void> {
    for (const { name } of rows.value.filter(runs)) {
      try {
        await detail(name)
      } catch (error) {
        if (!(error instanceof ApiError || error instanceof NoAnswer)) throw error
        keepProfit(name, null)
      }
    }
  }

  /** Raises ApiError or NoAnswer. */
  async function detail(name: string): Promise<StrategyDetail> {
    const found = await api.data<StrategyDetail>('GET', 'strategy', { name })
    keepProfit(name, found.profit)
    return found
  }

  function keepProfit(name: string, profit: Profit | null): void {
    const others = without(profits.value, name)
    profits.value = profit ? { ...others, [name]: profit } : others
  }

  const operate = (name: string, operation: Operation) =>
    doing(name, operation, () =>
      api.call('PUT', 'strategy', { name, operation: OPERATIONS[operation] }, OPERATE_SECONDS),
    )

  const remove = async (name: string) => {
    await doing(name, 'remove', () => api.call('DELETE', 'strategy', { name }))
    await load() // a shared file of that name may be seen again
  }

  async function doing(
    name: string,
    what: Operation | 'remove',
    work: () => Promise<{ msg: string }>,
  ): Promise<void> {
    if (busy.value[name]) return
    busy.value = { ...busy.value, [name]: what }
    try {
      notices.show('info', (await work()).msg)
    } catch (error) {
      notices.show('bad', `${name}：${wordsOf(error, t('common.silence'))}`)
      if (error instanceof NoAnswer) void load()
    } finally {
      busy.value = without(busy.value, name)
    }
  }

  return { rows, byName, profits, busy, failure, isLoaded, load, loadProfits, detail, operate, remove }
})

const OPERATE_SECONDS = 40

const words = new Intl.Collator('zh-CN', { numeric: true })

/** The list with this row as it now is, without it where there is none. */
export function withRow(
  rows: readonly StrategyRow[],
  name: string,
  row: StrategyRow | undefined,
): readonly StrategyRow[] {
  const at = rows.findIndex((one) => one.name === name)
  if (!row) return rows.filter((one) => one.name !== name)
  if (at >= 0) return rows.with(at, row)
  return [...rows, row].toSorted((a, b) => words.compare(a.name, b.name))
}
