/** Changing the trader's own rules and switches: all of them are put anew, unless somebody else has changed them
 * since they were looked at. */
import { ref } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { ApiError, wordsOf } from '@/api/http'
import type { Risk } from '@/api/types'
import { t } from '@/i18n'
import { useNotices } from '@/stores/notices'
import { isSilence } from '@/trade/sent'

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
      const fault = (await changedElsewhere(kind, seen)) ?? (await sent(kind, changed))
      if (!fault) notices.show('good', t('riskPage.saved'))
      return fault
    } finally {
      busy.value = false
    }
  }

  async function changedElsewhere(kind: Kind, seen: readonly Entry[]): Promise<Fault | undefined> {
    await risk.load()
    if (risk.trouble || !risk.seen) return { field: '', text: t('riskPage.notAsked') }
    return isInForce(kind, seen) ? undefined : { field: '', text: t('riskPage.changedElsewhere') }
  }

  const isInForce = (kind: Kind, entries: readonly Entry[]) =>
    JSON.stringify(keptOf(kind, risk.seen!)) === JSON.stringify(entries)

  async function sent(kind: Kind, changed: readonly Entry[]): Promise<Fault | undefined> {
    try {
      const { error } = await api.call('PUT', 'risk', { [kind]: JSON.stringify(changed) })
      if (error) return await unknown(kind, changed)
    } catch (error) {
      if (isSilence(error)) return unknown(kind, changed)
      const field = error instanceof ApiError ? String(error.answer.field ?? '') : ''
      return { field, text: wordsOf(error, '') }
    } finally {
      void risk.load()
    }
    return undefined
  }

  /** What is in force says whether it was saved, where it is the change. Where not, it may still come. */
  async function unknown(kind: Kind, changed: readonly Entry[]): Promise<Fault | undefined> {
    await risk.load()
    if (risk.trouble || !risk.seen) return { field: '', text: t('riskPage.unknownUnread') }
    return isInForce(kind, changed) ? undefined : { field: '', text: t('riskPage.unknownSave') }
  }

  return { busy, put }
})
