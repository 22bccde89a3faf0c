/** Whether the host, who keeps gateways and strategies, is there: told by /healthz, to everybody alike. */
import { onBeforeUnmount, onMounted, ref } from 'vue'

const LOOK_MS = 20_000

export type HostState = 'up' | 'down' | 'unknown'

export function useHost() {
  const host = ref<HostState>('unknown')
  let timer: ReturnType<typeof setInterval> | undefined

  async function look(): Promise<void> {
    try {
      const response = await fetch('healthz', { cache: 'no-store', signal: AbortSignal.timeout(5000) })
      const { data } = (await response.json()) as { data?: { host?: HostState } }
      host.value = data?.host ?? 'unknown'
    } catch {
      host.value = 'unknown' // the page's own line says why
    }
  }

  onMounted(() => {
    void look()
    timer = setInterval(() => void look(), LOOK_MS)
  })
  onBeforeUnmount(() => clearInterval(timer))
  return { host, look }
}
