import { expect, it, vi } from 'vitest'

import { watchSleep } from './waking'

it('knows a sleep from a tab whose timers are put off', () => {
  vi.useFakeTimers()
  const woke = vi.fn()
  let now = 0
  const stop = watchSleep(woke, () => now)
  const look = (passed: number) => {
    now += passed
    vi.advanceTimersByTime(1000)
  }
  look(1000)
  look(60_000)
  expect(woke).not.toHaveBeenCalled()
  look(3600_000)
  look(1000)
  expect(woke).toHaveBeenCalledTimes(1)
  stop()
  look(3600_000)
  expect(woke).toHaveBeenCalledTimes(1)
})
