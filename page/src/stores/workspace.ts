/** Where a trader left off, by account: the contract in view, the favourites, sizes of the panels. */
import { reactive, watch } from 'vue'

import { defineAccountStore } from '@/accounts/context'

export interface Workspace {
  symbol: string
  favourites: string[]
  interval: string
  indicators: string[]
  /** Panel sizes in px, by name. */
  sizes: Record<string, number>
  [key: string]: unknown
}

export const useWorkspace = defineAccountStore('workspace', ({ id }) => {
  const place = `ctpbee.workspace.${id}`
  const empty: Workspace = {
    symbol: '',
    favourites: [],
    interval: '1m',
    indicators: ['MA', 'VOL'],
    sizes: {},
  }
  const workspace = reactive<Workspace>({ ...empty, ...kept(place) })
  watch(workspace, (now) => localStorage.setItem(place, JSON.stringify(now)), { deep: true })
  return { workspace }
})

function kept(place: string): Partial<Workspace> {
  try {
    return JSON.parse(localStorage.getItem(place) ?? '{}')
  } catch {
    return {}
  }
}
