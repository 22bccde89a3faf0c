/** What the server says of the code in the editor: by /check_code while it is typed, by /run_code when asked. */
import { computed, ref, shallowRef } from 'vue'

import { useAccount } from '@/accounts/context'
import { ApiError, wordsOf, type Envelope } from '@/api/http'
import { isError } from '@/editor/findings'
import { t } from '@/i18n'
import type { Problem } from '@/strategies/rows'

const RUN_SECONDS = 90

export interface Output {
  text: string
  /** Which limit ended it, or what else kept it; empty where it ended by itself. */
  ended: string
  exitCode: number | null
}

export function useChecking() {
  const { api } = useAccount()
  const problems = shallowRef<readonly Problem[]>()
  const failure = ref('')
  const output = shallowRef<Output>()
  const isRunning = ref(false)
  let asked = ''

  const verdict = computed(() => {
    if (failure.value) return t('strategy.checkFailed', { why: failure.value })
    if (!problems.value) return t('strategy.checking')
    const errors = problems.value.filter(isError).length
    const warnings = problems.value.length - errors
    return problems.value.length ? t('strategy.findings', { errors, warnings }) : t('strategy.clean')
  })

  /** An answer to a text that was changed since is no longer shown: `forget`. */
  async function check(text: string): Promise<Problem[] | undefined> {
    asked = text
    try {
      const found = (await api.data<Problem[] | null>('POST', 'check_code', { text })) ?? []
      if (asked !== text) return undefined
      problems.value = found
      failure.value = ''
      return found
    } catch (error) {
      failure.value = wordsOf(error, t('common.silence'))
      return undefined
    }
  }

  function forget(): void {
    asked = ''
    problems.value = undefined
    failure.value = ''
  }

  async function run(text: string): Promise<void> {
    if (isRunning.value) return
    isRunning.value = true
    try {
      output.value = ranAs(await api.call<string>('POST', 'run_code', { text }, RUN_SECONDS))
    } catch (error) {
      if (error instanceof ApiError && 'exit_code' in error.answer) output.value = ranAs(error.answer)
      else output.value = { text: '', ended: wordsOf(error, t('common.silence')), exitCode: null }
    } finally {
      isRunning.value = false
    }
  }

  return { problems, verdict, output, isRunning, check, forget, run }
}

function ranAs({ data, msg, exit_code }: Envelope): Output {
  return { text: String(data), ended: msg, exitCode: typeof exit_code === 'number' ? exit_code : null }
}
