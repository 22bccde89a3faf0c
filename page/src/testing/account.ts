/** An account without a server, for unit tests: a socket that the test speaks through, an api that it answers. */
import { createPinia, setActivePinia } from 'pinia'
import { vi } from 'vitest'

import type { AccountContext } from '@/accounts/context'
import type { Api, Envelope, Fields, Method } from '@/api/http'
import type { OrderRow, Status } from '@/api/rows'
import type { AccountSocket } from '@/api/socket'

type Heard = (event: unknown) => void

export interface Call {
  method: Method
  path: string
  fields: Fields
  answer: (envelope: Partial<Envelope>) => Promise<void>
  fail: (error: unknown) => Promise<void>
}

let made = 0

export function fakeAccount(id = 'sim-9999-demo') {
  setActivePinia(createPinia())
  return openFake(id)
}

/** A second one beside the first: as another tab, or the same one after the page was loaded anew. */
export function openFake(id: string) {
  const heard = new Map<string, Heard[]>()
  const calls: Call[] = []
  const ends: (() => void)[] = []
  const socket = {
    connected: true,
    on: (event: string, listener: Heard) => heard.set(event, [...(heard.get(event) ?? []), listener]),
    off: (event: string, gone: Heard) =>
      heard.set(
        event,
        (heard.get(event) ?? []).filter((one) => one !== gone),
      ),
  }
  const call = (method: Method, path: string, fields: Fields = {}) =>
    new Promise<Envelope>((resolve, reject) => {
      const answer: Call['answer'] = async (envelope) => {
        resolve({ success: true, msg: '', data: '', ...envelope })
        await settled()
      }
      const fail: Call['fail'] = async (error) => {
        reject(error)
        await settled()
      }
      calls.push({ method, path, fields, answer, fail })
    })
  const api = {
    call,
    data: async (method: Method, path: string, fields: Fields) => (await call(method, path, fields)).data,
  }
  const context: AccountContext = {
    id,
    key: `${id}#fake${++made}`,
    api: api as unknown as Api,
    socket: socket as unknown as AccountSocket,
    onClose: (end) => ends.push(end),
    close: () => ends.forEach((end) => end()),
  }
  const emit = async (event: string, data?: unknown) => {
    for (const listener of heard.get(event) ?? []) listener(data)
    await settled()
  }
  return {
    context,
    calls,
    emit,
    /** The orders' list as the server pushes it. */
    orders: (...rows: Partial<OrderRow>[]) => emit('order', { type: 'order', data: rows }),
    /** Everything is connected, and the snapshot has come. */
    ready: async () => {
      await emit('connect')
      await emit('status', READY)
      await emit('snapshot', { seq: 7 })
    },
  }
}

/** Promises and watchers have run. */
export async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

const up = { state: 'ready', reason: '', since: '' }
export const READY: Status = {
  td: up,
  md: up,
  store: { ...up, state: 'up' },
  calendar: { ...up, state: 'sure' },
  gateway: { ...up, state: 'connected' },
}
