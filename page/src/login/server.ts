/** What the server says of itself to whoever has not logged in: which counters it offers. */
import { Api } from '@/api/http'

export interface ServerOffer {
  /** The interface that a login without one means. */
  interface: string
  /** Names of the fronts that the server lists; where there are any, no others are dialled. */
  fronts: string[]
  /** Whether addresses may be given freely. */
  free_addresses: boolean
  /** Whether CTP's library is installed there. */
  ctp: boolean
  public: boolean
  version: string
  /** Whether statements are confirmed by itself; else a trader has to. */
  settlement_confirm: boolean
}

/** Raises ApiError or NoAnswer. */
export async function askOffer(): Promise<ServerOffer> {
  return await new Api().data<ServerOffer>('GET', 'fronts')
}
