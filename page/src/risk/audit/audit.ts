/** One day's entries of the audit log, of one kind or of all, a page at a time, the newest first. */
import { ref, shallowRef } from 'vue'

import { useAccount } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import type { AuditEntry, AuditPage } from '@/api/types'
import { t } from '@/i18n'

export const KINDS = ['trade', 'run', 'watch', 'error'] as const
export type AuditKind = (typeof KINDS)[number]

export const AT_ONCE = 200

export function useAudit(api = useAccount().api) {
  /** Empty: the newest, and all kinds. */
  const day = ref('')
  const kind = ref<AuditKind | ''>('')
  const days = shallowRef<readonly string[]>([])
  /** Of which day the entries are. */
  const shown = ref('')
  const entries = shallowRef<readonly AuditEntry[]>([])
  const place = ref<number | null>(null)
  const failure = ref('')
  const busy = ref(false)
  let asked = 0

  async function read(further: boolean): Promise<void> {
    const mine = ++asked
    busy.value = true
    const wish = { day: further ? shown.value : day.value, kind: kind.value, limit: AT_ONCE }
    try {
      const where = further ? place.value : undefined
      const page = await api.data<AuditPage>('GET', 'risk/audit', { ...wish, place: where })
      if (mine !== asked) return // something else has been asked for since
      days.value = page.days
      shown.value = page.day
      place.value = page.place
      entries.value = further ? [...entries.value, ...page.entries] : page.entries
      failure.value = ''
    } catch (error) {
      if (mine === asked) failure.value = t('riskPage.failed', { why: wordsOf(error, t('common.silence')) })
    } finally {
      if (mine === asked) busy.value = false
    }
  }

  const load = () => read(false)
  const older = () => read(true)

  return { day, kind, days, shown, entries, place, failure, busy, load, older }
}

/** What is known beside the text, in short. */
export function detailsOf({ data }: AuditEntry): string {
  return Object.entries(data)
    .filter(([name]) => name !== 'level' && name !== 'logger')
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ')
}
