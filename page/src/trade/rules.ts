/** What an order may be: prices by the tick, inside the day's limits, lots, closable. Pure. */
import type { Direction, Offset, OrderRow, OrderType, PositionRow, Tick } from '@/api/rows'
import type { TextKey } from '@/i18n'
import type { Contract } from '@/market/contracts'
import { decimals } from '@/ui/format'

import type { OrderWish } from './sent'

/** A fixed price, or one that follows the quote. */
export type PriceMode = 'fixed' | 'opponent' | 'queue' | 'last' | 'limitUp' | 'limitDown'

export interface Limits {
  upper: number
  lower: number
}

export interface Problem {
  key: TextKey
  values?: Record<string, string | number>
}
/** What is wrong, by the field that it stands beside. */
export type Problems = Partial<Record<'price' | 'volume' | 'type', Problem>>

export function onTick(price: number, tick: number): boolean {
  return Math.abs(price - Math.round(price / tick) * tick) < tick * 1e-6
}

/** The price so many ticks further; one off the tick goes to the next on it first. Never below one tick. */
export function stepped(price: number, tick: number, by: number): number {
  const exact = price / tick
  const base = onTick(price, tick) ? Math.round(exact) : by > 0 ? Math.floor(exact) : Math.ceil(exact)
  return Number((Math.max(1, base + by) * tick).toFixed(decimals(tick)))
}

/** The price on the tick that is next to this one; at least one tick. */
export function nearest(price: number, tick: number): number {
  return Number((Math.max(1, Math.round(price / tick)) * tick).toFixed(decimals(tick)))
}

/** Of the quote where it has them, else of the contract's row; 0: not known. */
export function limitsOf(tick: Tick | undefined, contract: Contract | undefined): Limits {
  const row = tick?.limit_up ? tick : contract
  return { upper: row?.limit_up ?? 0, lower: row?.limit_down ?? 0 }
}

/** What a followed price is now for this side; 0 where there is none. */
export function followed(
  mode: Exclude<PriceMode, 'fixed'>,
  direction: Direction,
  tick: Tick | undefined,
  limits: Limits,
): number {
  const buys = direction === '多'
  switch (mode) {
    case 'opponent':
      return (buys ? tick?.ask_price_1 : tick?.bid_price_1) ?? 0
    case 'queue':
      return (buys ? tick?.bid_price_1 : tick?.ask_price_1) ?? 0
    case 'last':
      return tick?.last_price ?? 0
    case 'limitUp':
      return limits.upper
    case 'limitDown':
      return limits.lower
  }
}

/** SHFE and INE keep today's lots and yesterday's apart; elsewhere the exchange picks. */
export function splitsToday(contract: Contract | undefined): boolean {
  return contract?.position_date_type === '1'
}

export function offsetsOf(contract: Contract | undefined): Offset[] {
  return splitsToday(contract) ? ['开', '平今', '平昨'] : ['开', '平']
}

const TYPES: Record<string, OrderType> = { limit: '限价', market: '市价', fak: 'FAK', fok: 'FOK' }
export const ALL_TYPES = Object.values(TYPES)

/** By the contract's row; as long as it is not there, what every exchange takes. */
export function typesOf(contract: Contract | undefined): OrderType[] {
  const words = (contract?.order_types as string[] | undefined) ?? ['limit']
  return words.flatMap((word) => TYPES[word] ?? [])
}

/** The lots that an order of this side and offset may close now: held, less what working orders hold. */
export function closable(
  positions: readonly PositionRow[],
  working: readonly OrderRow[],
  symbol: string,
  direction: Direction,
  offset: Offset,
): number {
  const held = direction === '多' ? 'short' : 'long'
  const position = positions.find((row) => row.local_symbol === symbol && row.direction === held)
  if (!position || offset === '开') return 0
  if (offset === '平') return position.available
  const frozen = working
    .filter((order) => order.local_symbol === symbol && order.direction === direction)
    .filter((order) => (offset === '平今' ? order.offset === '平今' : ['平', '平昨'].includes(order.offset)))
    .reduce((lots, order) => lots + order.volume - order.traded, 0)
  const lots = offset === '平今' ? position.volume - position.yd_volume : position.yd_volume
  return Math.max(0, Math.min(lots - frozen, position.available))
}

/** What is wrong with it, judged as the gateway will. `most` is what may be closed; an open is not judged by it. */
export function problemsOf(wish: OrderWish, contract: Contract, limits: Limits, most: number): Problems {
  const problems: Problems = {}
  const type = typesOf(contract).includes(wish.type) ? undefined : noSuchType(wish.type, contract)
  const price = wish.type === '市价' ? undefined : priceProblem(wish.price, contract, limits)
  const volume = volumeProblem(wish, contract, most)
  if (type) problems.type = type
  if (price) problems.price = price
  if (volume) problems.volume = volume
  return problems
}

export function noSuchType(type: OrderType, { exchange }: Contract): Problem {
  return { key: 'ticket.noSuchType', values: { type, exchange } }
}

export function priceProblem(
  price: number | undefined,
  contract: Contract,
  limits: Limits,
): Problem | undefined {
  if (price === undefined || !Number.isFinite(price)) return { key: 'ticket.noPrice' }
  if (price <= 0) return { key: 'ticket.priceNotPositive' }
  if (!onTick(price, contract.pricetick))
    return { key: 'ticket.offTick', values: { tick: contract.pricetick } }
  if (limits.upper && price > limits.upper)
    return { key: 'ticket.aboveLimit', values: { limit: limits.upper } }
  if (limits.lower && price < limits.lower)
    return { key: 'ticket.belowLimit', values: { limit: limits.lower } }
  return undefined
}

function volumeProblem(wish: OrderWish, contract: Contract, closableLots: number): Problem | undefined {
  const { volume } = wish
  if (!Number.isInteger(volume) || volume <= 0) return { key: 'ticket.badLots' }
  const kind = wish.type === '市价' ? 'market' : 'limit'
  const most = Number(contract[`max_${kind}_order_volume`] ?? 0)
  const least = Number(contract[`min_${kind}_order_volume`] ?? 0)
  if (most && volume > most) return { key: 'ticket.tooManyLots', values: { most } }
  if (wish.offset === '开' && volume < least) return { key: 'ticket.tooFewLots', values: { least } }
  if (wish.offset !== '开' && volume > closableLots)
    return { key: closableLots ? 'ticket.overClosable' : 'ticket.nothingToClose', values: { closableLots } }
  return undefined
}

/** What it will do, in the field's words: 开多, 平今空. A buy closes what is short. */
export function effectOf(direction: Direction, offset: Offset): string {
  if (offset === '开') return direction === '多' ? '开多' : '开空'
  return `${offset}${direction === '多' ? '空' : '多'}`
}
