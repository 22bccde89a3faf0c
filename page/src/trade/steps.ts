/**
 * A procedure: a list of steps in sight. One at a time; stopped by hand before any step; none outlives the page
 * or a cut line: it stops, and says what was done.
 */
import { computed, ref, watch } from 'vue'

import { defineAccountStore } from '@/accounts/context'
import { wordsOf } from '@/api/http'
import { t } from '@/i18n'
import { useLink } from '@/link/link'
import { useBook } from '@/stores/book'

export type StepState = 'waiting' | 'running' | 'done' | 'unsure' | 'failed' | 'stopped'

export interface Step {
  text: string
  state: StepState
  detail: string
}

export interface Procedure {
  title: string
  steps: Step[]
  running: boolean
  /** How it ended, in a sentence. */
  end: string
}

/** Ends a procedure: what it says to the trader. */
export class Stop extends Error {}

export const useSteps = defineAccountStore('steps', (context) => {
  const link = useLink(context)
  const book = useBook(context)
  const current = ref<Procedure>()
  const stopped = ref(false)
  const busy = computed(() => (current.value?.running ? t('book.busy', { what: current.value.title }) : ''))

  function stop(): void {
    stopped.value = true
  }

  function dismiss(): void {
    if (!current.value?.running) current.value = undefined
  }

  /** Run it with its steps in sight, unless another one runs. */
  async function run(
    title: string,
    texts: string[],
    work: (steps: Step[]) => Promise<string>,
  ): Promise<void> {
    if (current.value?.running) return
    stopped.value = false
    const steps = texts.map((text) => ({ text, state: 'waiting' as const, detail: '' }))
    current.value = { title, steps, running: true, end: '' }
    const procedure = current.value
    try {
      procedure.end = await work(procedure.steps)
    } catch (error) {
      procedure.end = error instanceof Stop ? error.message : wordsOf(error, t('common.silence'))
    } finally {
      procedure.steps.filter(({ state }) => state === 'waiting').forEach((step) => (step.state = 'stopped'))
      procedure.running = false
    }
  }

  /** Raises Stop where nothing more may be sent. */
  function goOn(): void {
    if (stopped.value) throw new Stop(t('book.stoppedByHand'))
    if (link.noTrade) throw new Stop(t('book.stoppedByLine', { why: link.noTrade }))
  }

  /** True once `judge` holds, which looks at the orders and at `told`; false when its time is over. Raises Stop. */
  function until(judge: () => boolean, ms: number, told = ref('')): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer)
        unwatch()
        settle()
      }
      const look = () => {
        if (judge()) return finish(() => resolve(true))
        try {
          goOn()
        } catch (error) {
          finish(() => reject(error))
        }
      }
      const timer = setTimeout(() => finish(() => resolve(false)), ms)
      const unwatch = watch([() => book.orders, () => link.noTrade, stopped, told], look)
      look()
    })
  }

  return { current, busy, run, stop, dismiss, goOn, until }
})

/** Run these, so many at a time. Raises the first error once all that began have ended. */
export async function pooled(jobs: (() => Promise<void>)[], width: number): Promise<void> {
  const waiting = [...jobs]
  const worker = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) await job()
  }
  const ends = await Promise.allSettled(Array.from({ length: width }, worker))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed) throw failed.reason
}
