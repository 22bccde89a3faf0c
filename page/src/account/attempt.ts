/** One try of a form at a time, and what became of it in words. */
import { ref } from 'vue'

import { wordsOf } from '@/api/http'
import { t } from '@/i18n'

export function useAttempt() {
  const busy = ref(false)
  const failure = ref('')
  const success = ref('')

  /** `work` answers what is said when it went well. */
  async function attempt(work: () => Promise<string>): Promise<boolean> {
    if (busy.value) return false
    busy.value = true
    failure.value = success.value = ''
    try {
      success.value = await work()
      return true
    } catch (error) {
      failure.value = wordsOf(error, t('common.silence'))
      return false
    } finally {
      busy.value = false
    }
  }

  return { busy, failure, success, attempt }
}
