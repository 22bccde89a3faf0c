/** Socket.IO: one socket an account, with the server's events by their types. */
import { io, type Socket } from 'socket.io-client'

import type { SocketEvents } from './rows'

/** By the server's own description. A refusal tells more than its words, by the case: `client_order_id`, `reason`. */
type Said = Omit<SocketEvents, 'error'> & { error: SocketEvents['error'] & Record<string, unknown> }

export type ServerEvents = { [Name in keyof Said]: (said: Said[Name]) => void }

interface ClientEvents {
  /** `forming`: the contracts whose minute that forms is wanted. */
  subscribe: (wish: { symbols: string[] | null; batch: boolean; forming: string[] }) => void
}

export type AccountSocket = Socket<ServerEvents, ClientEvents>

/**
 * A socket that comes back by itself, and asks for conflated quotes each time. It is opened with `connect` once
 * its listeners are there: the snapshot comes at once, and what nobody hears is lost.
 */
export function openSocket(token: string): AccountSocket {
  const socket: AccountSocket = io({
    auth: { token },
    autoConnect: false,
    transports: ['websocket', 'polling'],
    reconnectionDelay: 300,
    reconnectionDelayMax: 3000,
    timeout: 8000,
  })
  socket.on('connect', () => subscribe(socket, []))
  return socket
}

/** Conflated quotes of all, and of these contracts the minute that forms. Holds until the line is cut. */
export function subscribe(socket: AccountSocket, forming: Iterable<string>): void {
  socket.emit('subscribe', { symbols: null, batch: true, forming: [...forming] })
}
