/** Socket.IO: one socket an account, with the server's events by their types. */
import { io, type Socket } from 'socket.io-client'

import type { StrategyRow } from '@/strategies/rows'

import type { BarRow, BarUpdate, Fund, LogRow, OrderRow, PositionRow, Status, Tick, TradeRow } from './rows'

interface Typed<T> {
  type: string
  data: T
}

export interface ServerEvents {
  ticks: (ticks: Tick[]) => void
  position: (event: Typed<PositionRow[]>) => void
  active_order: (event: Typed<OrderRow[]>) => void
  order: (event: Typed<OrderRow[]>) => void
  trade: (event: Typed<TradeRow[]>) => void
  account_detail: (event: Typed<Fund[]>) => void
  order_update: (event: Typed<OrderRow> & { seq: number }) => void
  trade_update: (event: Typed<TradeRow> & { seq: number }) => void
  status: (status: Status) => void
  snapshot: (event: { seq: number }) => void
  bar: (event: { local_symbol: string; data: BarRow }) => void
  bar_update: (event: BarUpdate) => void
  contract: (symbols: string[]) => void
  log: (row: LogRow) => void
  error: (event: { error: string; msg: string; [key: string]: unknown }) => void
  strategy: (event: Typed<StrategyRow & { deleted?: boolean }>) => void
  strategy_log: (line: { name: string; created: string; levelname: string; message: string }) => void
  risk: (event: Record<string, unknown>) => void
}

interface ClientEvents {
  subscribe: (wish: { symbols: string[] | null; batch: boolean }) => void
}

export type AccountSocket = Socket<ServerEvents, ClientEvents>

/** A socket that comes back by itself, and asks for conflated quotes each time. */
export function openSocket(token: string): AccountSocket {
  const socket: AccountSocket = io({
    auth: { token },
    transports: ['websocket', 'polling'],
    reconnectionDelay: 300,
    reconnectionDelayMax: 3000,
    timeout: 8000,
  })
  socket.on('connect', () => socket.emit('subscribe', { symbols: null, batch: true }))
  return socket
}
