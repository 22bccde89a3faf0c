/** The form that is being filled in: it stays while other screens are in front. */
import { reactive, ref, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { ApiError, wordsOf } from '@/api/http'
import type { StrategyParameters } from '@/api/types'
import { t } from '@/i18n'

import { emptyForm, fieldsOf, formOf, wrongOf, type RunForm } from './form'
import { useJobs } from './jobs'
import type { DataThere, Job, Parameter } from './rows'

export interface Fault {
  parameter: string
  text: string
  /** Of the strategy's text, 0: none. */
  line: number
}

export const useAsking = defineAccountStore('backtest-form', (context) => {
  const { api } = context
  const jobs = useJobs(context)
  const form = reactive<RunForm>(emptyForm())
  const parameters = shallowRef<readonly Parameter[]>([])
  const there = shallowRef<DataThere>()
  const fault = ref<Fault>()
  const isSending = ref(false)

  const blame = (parameter: string, error: unknown) => {
    const answer = error instanceof ApiError ? error.answer : undefined
    fault.value = {
      parameter: String(answer?.parameter ?? parameter),
      text: wordsOf(error, t('common.silence')),
      line: Number(answer?.line ?? 0),
    }
  }

  /** What the server has bars of. */
  async function loadData(): Promise<void> {
    try {
      there.value = await api.data<DataThere>('GET', 'backtest/data')
    } catch (error) {
      blame('contracts', error)
    }
  }

  /** The chosen strategy's parameters. What was typed for one of the same name stays. */
  async function loadParameters(): Promise<void> {
    const { strategy: name, version } = form
    parameters.value = []
    if (!name) return
    try {
      const fields = { name, version: version || undefined }
      const found = await api.data<StrategyParameters>('POST', 'backtest/parameters', fields)
      if (form.strategy !== name || form.version !== version) return // another was chosen meanwhile
      parameters.value = found.parameters
      if (fault.value?.parameter === 'name') fault.value = undefined
    } catch (error) {
      blame('name', error)
    }
  }

  /** Asks for it; the job's id, empty where it was refused. */
  async function send(): Promise<string> {
    if (isSending.value) return ''
    const wrong = wrongOf(form, parameters.value)[0]
    if (wrong !== undefined) {
      fault.value = { parameter: `parameters.${wrong}`, text: t('backtest.wrongValue'), line: 0 }
      return ''
    }
    isSending.value = true
    fault.value = undefined
    try {
      return await jobs.submit(fieldsOf(form, parameters.value))
    } catch (error) {
      blame('', error)
      return ''
    } finally {
      isSending.value = false
    }
  }

  function begin(with_: Partial<RunForm>): void {
    Object.assign(form, emptyForm(), with_)
    fault.value = undefined
  }

  const again = (job: Job) => begin(formOf(job))

  return { form, parameters, there, fault, isSending, loadData, loadParameters, send, begin, again }
})
