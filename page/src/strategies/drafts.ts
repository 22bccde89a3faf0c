/**
 * The codes that are open in the editor, by strategy: what was read, what was made of it. They stay while other
 * screens are in front; a page that is closed with one unsaved asks first.
 */
import { computed, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { ApiError, wordsOf } from '@/api/http'
import { t } from '@/i18n'
import { exampleFor } from '@/strategies/example'
import { useStrategies } from '@/strategies/strategies'
import { without } from '@/strategies/without'

export interface Draft {
  text: string
  /** As the server has it; empty for a new one. */
  saved: string
  /** The version that `saved` is. */
  version: number
  failure: string
  /** Where the server found what it refused, 0 where it did not say. */
  line: number
  isSaving: boolean
}

/** A strategy that has not been saved. No strategy can be called so. */
export const FRESH = '~new'

export const useDrafts = defineAccountStore('drafts', (account) => {
  const { api, onClose } = account
  const strategies = useStrategies(account)
  const drafts = shallowRef<Readonly<Record<string, Draft>>>({})
  const unsaved = computed(() => Object.keys(drafts.value).filter(isDirty))

  const keep = (event: BeforeUnloadEvent) => unsaved.value.length && event.preventDefault()
  addEventListener('beforeunload', keep)
  onClose(() => removeEventListener('beforeunload', keep))

  const of = (name: string): Draft | undefined => drafts.value[name]

  function isDirty(name: string): boolean {
    const draft = drafts.value[name]
    return !!draft && draft.text !== draft.saved
  }

  function change(name: string, changes: Partial<Draft>): void {
    const draft = drafts.value[name]
    if (draft) drafts.value = { ...drafts.value, [name]: { ...draft, ...changes } }
  }

  const put = (name: string, draft: Partial<Draft>) =>
    (drafts.value = { ...drafts.value, [name]: { ...EMPTY, ...draft } })

  const drop = (name: string) => (drafts.value = without(drafts.value, name))

  /** Read it where it is not open, or open and unchanged. Raises ApiError or NoAnswer. */
  async function open(name: string): Promise<void> {
    if (isDirty(name)) return
    if (name === FRESH) return void put(FRESH, { text: exampleFor((taken) => strategies.byName.has(taken)) })
    const version = strategies.byName.get(name)?.version ?? 0
    const codes = await api.data<Record<string, string>>('GET', 'code', { name })
    const text = codes[name] ?? ''
    if (!isDirty(name)) put(name, { text, saved: text, version })
  }

  /** Give up what was changed, and read it again. */
  async function discard(name: string): Promise<void> {
    drop(name)
    if (name !== FRESH) await open(name)
  }

  /** Keep it as a new version; answers the name that it has by its own `ext`, empty where it was refused. */
  async function save(name: string): Promise<string> {
    const draft = drafts.value[name]
    if (!draft || draft.isSaving) return ''
    change(name, { isSaving: true, failure: '', line: 0 })
    try {
      const answer = await api.call('POST', 'code', { text: draft.text })
      settle(name, draft, String(answer.name), Number(answer.version))
      return String(answer.name)
    } catch (error) {
      const line = error instanceof ApiError ? Number(error.answer.line ?? 0) : 0
      change(name, { failure: wordsOf(error, t('common.silence')), line })
      return ''
    } finally {
      change(name, { isSaving: false })
    }
  }

  /** What was typed while it was being saved stays, unsaved. */
  function settle(name: string, sent: Draft, savedAs: string, version: number): void {
    const now = drafts.value[name]?.text ?? sent.text
    const kept = { text: now, saved: sent.text, version }
    if (savedAs === name) return change(name, kept)
    if (name !== FRESH) change(name, { text: sent.saved }) // the file of the old name is as it was
    const other = isDirty(savedAs) ? drafts.value[savedAs]!.text : now
    put(savedAs, { ...kept, text: other })
  }

  return { drafts, unsaved, of, isDirty, open, discard, save, change, drop }
})

const EMPTY: Draft = { text: '', saved: '', version: 0, failure: '', line: 0, isSaving: false }
