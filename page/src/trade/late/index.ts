/** The parts of the trading screen that its first picture does without. */
import { defineAsyncComponent } from 'vue'

import { spoken } from '@/i18n'

type Parts = typeof import('./parts')

const load = (): Promise<Parts> => import('./parts')

/** That part, from the moment it is wanted. What cannot be fetched is told by `vite:preloadError` (link/build.ts). */
export function late<Name extends keyof Parts>(name: Name): Parts[Name] {
  return defineAsyncComponent<Parts[Name]>(async () => (await spoken(load()))[name] as never)
}

/** Have them ready before they are wanted: a dialog comes at once, also when the server is gone by then. */
export function fetchLate(): void {
  const soon = window.requestIdleCallback ?? ((then: () => void) => setTimeout(then))
  soon(() => void load().catch(() => {})) // fetched again when it is wanted
}
