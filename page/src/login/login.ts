/** The login form's state, apart from how it looks: one try at a time, and what became of it. */
import { reactive, ref } from 'vue'

import { useAccounts } from '@/accounts/accounts'
import { ApiError, NoAnswer } from '@/api/http'
import { t } from '@/i18n'

import { EMPTY } from './presets'

/** The counter wants another password before it lets in (docs/ctp.md). */
export const MUST_CHANGE = ['CTP_131', 'CTP_140', 'CTP_141']

export interface LoginFields {
  authorization: string
  userid: string
  password: string
  auth_code: string
  front: string
  brokerid: string
  appid: string
  td_address: string
  md_address: string
}

export interface Failure {
  text: string
  advice: string
  code: string
}

export function useLogin(done: () => void) {
  const accounts = useAccounts()
  const fields = reactive<LoginFields>({
    ...EMPTY,
    authorization: '000000',
    userid: '',
    password: '',
    auth_code: '',
  })
  const failure = ref<Failure>()
  const busy = ref(false)
  const mustChange = ref(false)

  async function attempt(work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false
    busy.value = true
    failure.value = undefined
    try {
      await work()
      fields.password = ''
      mustChange.value = false
      done()
      return true
    } catch (error) {
      failure.value = failureOf(error)
      mustChange.value = MUST_CHANGE.includes(failure.value.code)
      return false
    } finally {
      busy.value = false
    }
  }

  const paper = () => attempt(() => accounts.login({ interface: 'sim', ...who() }))
  const real = () => attempt(() => accounts.login({ interface: 'ctp', ...sent() }))
  const change = (new_password: string) =>
    attempt(() => accounts.admitBy('password', { interface: 'ctp', ...sent(), new_password }))
  /** A paper account made up on the spot. */
  const trial = () =>
    attempt(() => accounts.login({ interface: 'sim', ...who(), userid: madeUp('try'), password: madeUp('') }))

  function who() {
    return { authorization: fields.authorization, userid: fields.userid, password: fields.password }
  }

  /** With a listed front the addresses stay out: they would be another front's. */
  function sent() {
    const { td_address, md_address, ...rest } = fields
    return rest.front ? rest : { ...rest, td_address, md_address }
  }

  return { fields, failure, busy, mustChange, paper, real, change, trial }
}

function madeUp(prefix: string): string {
  const [a, b] = crypto.getRandomValues(new Uint32Array(2))
  return `${prefix}${a!.toString(36)}${prefix ? '' : b!.toString(36)}`
}

export function failureOf(error: unknown): Failure {
  if (error instanceof ApiError) return { text: error.message, advice: error.advice, code: error.code }
  if (error instanceof NoAnswer) return { text: t('common.silence'), advice: '', code: '' }
  throw error
}
