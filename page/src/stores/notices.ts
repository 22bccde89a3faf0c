/** What has to be seen at once: a fill, a refusal, a disconnect. Shown as toasts, with a sound where wanted. */
import { defineStore } from 'pinia'
import { ref } from 'vue'

import { useSettings } from '@/stores/settings'
import { play } from '@/ui/sound'

export type NoticeKind = 'info' | 'good' | 'bad' | 'unsure'

export interface Notice {
  id: number
  kind: NoticeKind
  text: string
}

const SHOWN_MS = 6000
const AT_MOST = 6

export const useNotices = defineStore('notices', () => {
  const notices = ref<Notice[]>([])
  const { settings } = useSettings()
  let last = 0

  /** Its number, for `drop`. One that is not sure stays until it is dropped. */
  function show(kind: NoticeKind, text: string): number {
    const id = ++last
    if (settings.sound) play(kind)
    notices.value = [...notices.value, { id, kind, text }].slice(-AT_MOST)
    if (kind !== 'unsure') setTimeout(() => drop(id), kind === 'bad' ? SHOWN_MS * 2 : SHOWN_MS)
    return id
  }

  function drop(id: number): void {
    notices.value = notices.value.filter((notice) => notice.id !== id)
  }

  return { notices, show, drop }
})
