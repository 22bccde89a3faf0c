/** Each part that has to be there, with its state in words. Pure. */
import type { PartStatus, Status } from '@/api/rows'
import { t, type TextKey } from '@/i18n'

import type { HostState } from './host'

export type Light = 'good' | 'bad' | 'wait' | 'unknown'

export interface Part {
  key: 'page' | 'gateway' | 'td' | 'md' | 'store' | 'host'
  light: Light
  /** Its state, and why. */
  words: string
  since: string
}

const GOOD = ['ready', 'connected', 'up']
const WAITING = [
  'connecting',
  'authenticating',
  'logging_in',
  'logged_in',
  'confirming',
  'loading',
  'resting',
]

export function parts(online: boolean, status: Status | undefined, host: HostState): Part[] {
  const ownLine: PartStatus = { state: online ? 'connected' : 'lost', reason: '', since: '' }
  const hostPart: PartStatus = { state: host, reason: '', since: '' }
  const from = {
    page: ownLine,
    gateway: status?.gateway,
    td: status?.td,
    md: status?.md,
    store: status?.store,
  }
  return Object.entries({ ...from, host: hostPart }).map(([key, part]) => ({
    key: key as Part['key'],
    // What the gateway said before the line was lost is not known any more.
    light: key !== 'page' && !online ? 'unknown' : lightOf(key, part),
    words: key !== 'page' && !online ? t('link.unknown') : wordsOf(part),
    since: part?.since.slice(0, 19) ?? '',
  }))
}

function lightOf(key: string, part: PartStatus | undefined): Light {
  if (!part || part.state === 'unknown') return 'unknown'
  // A front that is connected has not logged in yet.
  if (part.state === 'connected' && (key === 'td' || key === 'md')) return 'wait'
  if (GOOD.includes(part.state)) return 'good'
  return WAITING.includes(part.state) ? 'wait' : 'bad'
}

function wordsOf(part: PartStatus | undefined): string {
  if (!part) return t('link.unknown')
  const state = t(`link.state_${part.state}` as TextKey)
  const known = state.startsWith('link.') ? part.state : state
  return part.reason ? `${known}：${part.reason}` : known
}
