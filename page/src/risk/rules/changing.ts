/** Changing the trader's own rules and switches: all of them are put anew, unless somebody else has changed them
 * since they were looked at. */
import { ref } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { ApiError, wordsOf } from '@/api/http'
import type { Risk } from '@/api/types'
import { t } from '@/i18n'
import { useNotices } from '@/stores/notices'

import { useRisk } from '../risk'
import { switchEntry, switchForm, type Entry } from './rule'

export type Kind = 'rules' | 'switches'

export interface Fault {
  /** Which key of the entry, empty where it is none alone. */
  field: string
  text: string
}

/** As they are put. */
export function keptOf(kind: Kind, risk: Pick<Risk, 'own' | 'switches'>): Entry[] {
  if (kind === 'rules') return risk.own as Entry[]
  return risk.switches.map((row) => switchEntry(switchForm(row)))
}

export const useRuleChanges = defineAccountStore('ruleChanges', (context) => {
  const { api } = context
  const risk = useRisk(context)
  const notices = useNotices()
  const busy = ref(false)

  /** Undefined where it was taken. `seen` is what the change was made of. */
  async function put(
    kind: Kind,
    seen: readonly Entry[],
    changed: readonly Entry[],
  ): Promise<Fault | undefined> {
    if (busy.value) return { field: '', text: t('common.loading') }
    busy.value = true
    try {
      const now = await api.data<Risk>('GET', 'risk')
      if (JSON.stringify(keptOf(kind, now)) !== JSON.stringify(seen))
        return { field: '', text: t('riskPage.changedElsewhere') }
      const answer = await api.call('PUT', 'risk', { [kind]: JSON.stringify(changed) })
      if (answer.error === 'RISK_STATE_UNKNOWN') return { field: '', text: t('riskPage.unknownSave') }
      notices.show('good', t('riskPage.saved'))
      return undefined
    } catch (error) {
      const field = error instanceof ApiError ? String(error.answer.field ?? '') : ''
      return { field, text: wordsOf(error, t('riskPage.unknownSave')) }
    } finally {
      busy.value = false
      void risk.load()
    }
  }

  return { busy, put }
})
