/** What the gate before the orders counts and has told of, live: asked for again whenever something happens. */
import { ref, shallowRef } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { ApiError, NoAnswer } from '@/api/http'
import type { Risk } from '@/api/types'

/** Many orders a second are one question: the counts are behind by this much at most. */
export const REST_MS = 300

export const useRisk = defineAccountStore('risk', ({ api, socket, onClose }) => {
  const seen = shallowRef<Risk>()
  const trouble = ref('')
  /** Counts are asked for only while somebody looks at them. */
  const watched = ref(false)
  let timer: number | undefined

  socket.on('risk', soon)
  socket.on('order_update', soon)
  socket.on('snapshot', soon)
  onClose(() => window.clearTimeout(timer))

  function soon(): void {
    if (watched.value && timer === undefined) timer = window.setTimeout(() => void load(), REST_MS)
  }

  async function load(): Promise<void> {
    window.clearTimeout(timer)
    timer = undefined
    try {
      seen.value = await api.data<Risk>('GET', 'risk')
      trouble.value = ''
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof NoAnswer)) throw error
      trouble.value = error.message
    }
  }

  return { seen, trouble, watched, load }
})
