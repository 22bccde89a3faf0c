/** Keeps what a component shows subscribed: some at a time, and again after the line was away. */
import { onScopeDispose, ref, watch } from 'vue'

import { wordsOf } from '@/api/http'
import { t } from '@/i18n'
import { useLink } from '@/link/link'

import { useQuotes } from './quotes'

const QUIET_MS = 150
const AT_ONCE = 60

/** Answers why it failed, where it did. */
export function useSubscription(wanted: () => readonly string[]) {
  const quotes = useQuotes()
  const link = useLink()
  const failure = ref('')
  let timer: ReturnType<typeof setTimeout> | undefined

  async function ask(): Promise<void> {
    const symbols = wanted()
    try {
      for (let at = 0; at < symbols.length && !link.noQuotes; at += AT_ONCE) {
        await quotes.subscribe(symbols.slice(at, at + AT_ONCE))
      }
      failure.value = ''
    } catch (error) {
      failure.value = t('market.subscribeFailed', { reason: wordsOf(error, t('common.silence')) })
    }
  }

  const later = () => {
    clearTimeout(timer)
    timer = setTimeout(() => void ask(), QUIET_MS)
  }
  watch([() => wanted().join(), () => link.noQuotes], later, { immediate: true })
  onScopeDispose(() => clearTimeout(timer))
  return failure
}
