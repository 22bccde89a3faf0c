/**
 * One account's own world: its client, its socket, its stores. Two accounts share nothing, so nothing of one
 * can be shown as, or sent to, the other.
 */
import { defineStore, type SetupStoreDefinition } from 'pinia'
import { inject, provide, type InjectionKey } from 'vue'

import { Api, type ApiError } from '@/api/http'
import { openSocket, type AccountSocket } from '@/api/socket'

export interface AccountContext {
  /** `sim-9999-demo`: interface, broker, user. */
  readonly id: string
  /** Its name among the stores: a second login of the same account begins with empty ones. */
  readonly key: string
  readonly api: Api
  readonly socket: AccountSocket
  /** What has to end with the account: timers, listeners. */
  readonly onClose: (end: () => void) => void
  readonly close: () => void
}

let opened = 0

export function openAccount(
  id: string,
  token: string,
  onTokenRefused: (error: ApiError) => void,
): AccountContext {
  const socket = openSocket(token)
  const ends: (() => void)[] = []
  return {
    id,
    key: `${id}#${++opened}`,
    api: new Api(token, onTokenRefused),
    socket,
    onClose: (end) => ends.push(end),
    close: () => {
      socket.disconnect()
      ends.forEach((end) => end())
    },
  }
}

const KEY: InjectionKey<AccountContext> = Symbol('account')

export function provideAccount(context: AccountContext): void {
  provide(KEY, context)
}

/** The account that this component is shown for. */
export function useAccount(): AccountContext {
  const context = inject(KEY)
  if (!context) throw new Error('shown outside of an account')
  return context
}

/**
 * A store that each account has its own of. In a component: `useX()`; elsewhere: `useX(context)`. It begins to
 * listen when it is first used, and ends with the account.
 */
export function defineAccountStore<S extends object>(name: string, setup: (context: AccountContext) => S) {
  const definitions = new WeakMap<AccountContext, SetupStoreDefinition<string, S>>()
  return (context: AccountContext = useAccount()): ReturnType<SetupStoreDefinition<string, S>> => {
    const known = definitions.get(context)
    if (known) return known()
    const definition = defineStore(`${context.key}/${name}`, () => setup(context))
    definitions.set(context, definition)
    const store = definition()
    context.onClose(() => store.$dispose())
    return store
  }
}
