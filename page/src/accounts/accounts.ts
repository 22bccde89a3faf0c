/** The accounts that this page is logged in to. Tokens are kept for this tab alone, a password never. */
import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'

import { Api, type Fields } from '@/api/http'

import { openAccount, type AccountContext } from './context'

interface Kept {
  id: string
  token: string
}

const PLACE = 'ctpbee.accounts'

export const useAccounts = defineStore('accounts', () => {
  const open = shallowRef<AccountContext[]>([])
  const tokens = new Map<string, string>()
  const activeId = ref('')
  const active = computed(() => open.value.find((account) => account.id === activeId.value))
  /** The last account whose token was refused, and why: said above the login form. */
  const refused = ref<{ id: string; reason: string }>()

  function admit(id: string, token: string): AccountContext {
    if (tokens.get(id) !== undefined) close(id)
    const context = openAccount(id, token, (error) => dismiss(id, error.message))
    context.socket.on('error', (event) => {
      if (event.msg === 'token error') dismiss(id, String(event.reason ?? event.msg))
    })
    tokens.set(id, token)
    open.value = [...open.value, context]
    activeId.value = id
    keep()
    return context
  }

  /** Log in; answers the account's context. Raises ApiError or NoAnswer. */
  const login = (fields: Fields) => admitBy('login', fields)

  /** By `login`, or by `password`, which changes the password at the counter and logs in. */
  async function admitBy(path: 'login' | 'password', fields: Fields): Promise<AccountContext> {
    const answer = await new Api().call<string>('POST', path, fields, 90)
    refused.value = undefined
    return admit(subjectOf(answer.data), answer.data)
  }

  /** Leave the account here. Its gateway goes on: `POST /logout` ends that. */
  function close(id: string): void {
    open.value.find((account) => account.id === id)?.close()
    open.value = open.value.filter((account) => account.id !== id)
    tokens.delete(id)
    if (activeId.value === id) activeId.value = open.value[0]?.id ?? ''
    keep()
  }

  function dismiss(id: string, reason: string): void {
    if (!tokens.has(id)) return
    close(id)
    refused.value = { id, reason }
  }

  function keep(): void {
    const kept: Kept[] = open.value.map(({ id }) => ({ id, token: tokens.get(id) ?? '' }))
    sessionStorage.setItem(PLACE, JSON.stringify({ kept, active: activeId.value }))
  }

  /** Take up the accounts that this tab had before it was loaded anew. */
  function resume(): void {
    try {
      const { kept, active: last } = JSON.parse(sessionStorage.getItem(PLACE) ?? '{"kept":[]}')
      for (const { id, token } of kept as Kept[]) admit(id, token)
      if (tokens.has(last)) activeId.value = last
    } catch {
      sessionStorage.removeItem(PLACE)
    }
  }

  watch(activeId, keep)

  return { open, active, activeId, refused, login, admitBy, close, resume }
})

/** The account that a token is for: its `sub`. */
export function subjectOf(token: string): string {
  const payload = token.split('.')[1] ?? ''
  const plain = atob(payload.replaceAll('-', '+').replaceAll('_', '/'))
  return String(JSON.parse(plain).sub)
}
