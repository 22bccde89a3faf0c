/** The log of one strategy: the newest page, what is said since, and the older pages when asked for. */
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'

import { useAccount } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import type { StrategyLine } from '@/strategies/rows'

const PAGE = 200
const AT_MOST = 5000

interface Page {
  lines: StrategyLine[]
  before: string
}

/** Oldest first. */
export function useStrategyLog(name: string) {
  const { api, socket } = useAccount()
  const link = useLink()
  const lines = shallowRef<readonly StrategyLine[]>([])
  /** Where the next older page begins; empty at the oldest. */
  const before = ref('')
  const failure = ref('')
  const isLoading = ref(false)
  /** What was there when somebody pressed 暂停. */
  const held = shallowRef<readonly StrategyLine[]>()
  let heard: StrategyLine[] = []

  const shown = computed(() => held.value ?? lines.value)
  const isNew = (line: StrategyLine) => !held.value?.includes(line)
  const waiting = computed(() => (held.value ? lines.value.filter(isNew).length : 0))

  const hear = ({ name: whose, ...line }: StrategyLine & { name: string }) => {
    if (whose !== name) return
    heard.push(line)
    lines.value = [...lines.value, line].slice(-AT_MOST)
  }
  socket.on('strategy_log', hear)
  onScopeDispose(() => socket.off('strategy_log', hear))

  async function read(from = ''): Promise<Page | undefined> {
    isLoading.value = true
    try {
      const page = await api.data<Page>('GET', 'strategy/log', {
        name,
        before: from || undefined,
        limit: PAGE,
      })
      failure.value = ''
      return { lines: page.lines.toReversed(), before: page.before }
    } catch (error) {
      failure.value = wordsOf(error, t('common.silence'))
      return undefined
    } finally {
      isLoading.value = false
    }
  }

  /** The newest page; again after the page was away, for what it did not hear. */
  async function load(): Promise<void> {
    heard = []
    const page = await read()
    if (!page) return
    lines.value = joined(page.lines, heard)
    before.value = page.before
  }

  async function older(): Promise<void> {
    const page = await read(before.value)
    if (!page) return
    before.value = page.before
    lines.value = [...page.lines, ...lines.value]
    if (held.value) held.value = [...page.lines, ...held.value]
  }

  const pause = () => (held.value = held.value ? undefined : lines.value)

  watch(() => link.snapshots, load, { immediate: true })

  return { shown, waiting, held, before, failure, isLoading, older, pause }
}

/** A page and what was heard while it was on its way, which the page's end may have already. */
export function joined(page: readonly StrategyLine[], heard: readonly StrategyLine[]): StrategyLine[] {
  for (let both = Math.min(page.length, heard.length); both > 0; both--) {
    const end = page.slice(-both)
    if (end.every((line, n) => same(line, heard[n]!))) return [...page, ...heard.slice(both)]
  }
  return [...page, ...heard]
}

function same(one: StrategyLine, other: StrategyLine): boolean {
  return one.created === other.created && one.message === other.message && one.levelname === other.levelname
}
