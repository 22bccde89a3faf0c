import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { Api, NoAnswer } from '@/api/http'

import { checkBuild, reloadOnMissingChunk } from './build'

beforeEach(() => sessionStorage.clear())
afterEach(() => vi.restoreAllMocks())

/** A page that waits for chunks, as one whose server has build b1; the function has one missed. */
async function waiting(reload: () => void): Promise<() => Promise<void>> {
  const listening = vi.spyOn(window, 'addEventListener').mockReturnValue()
  await checkBuild(reload)
  reloadOnMissingChunk(reload)
  const [name, hear] = listening.mock.calls[0] as [string, () => void]
  expect(name).toBe('vite:preloadError')
  return async () => {
    hear()
    await new Promise((resolve) => setTimeout(resolve))
  }
}

it('a chunk that is gone with its build has the page loaded anew, once; one out of reach does not', async () => {
  const answer = vi.spyOn(Api.prototype, 'data').mockResolvedValue({ build: 'b1' })
  const reload = vi.fn()
  const miss = await waiting(reload)
  answer.mockRejectedValue(new NoAnswer(''))
  await miss()
  await miss()
  answer.mockResolvedValue({ build: 'b1' }) // the server is back, and so is the chunk
  await miss()
  expect(reload).not.toHaveBeenCalled()
  answer.mockResolvedValue({ build: 'b2' })
  await miss()
  await miss()
  expect(reload).toHaveBeenCalledOnce()
})

it('a chunk that a browser does not fetch again has the page loaded anew, once', async () => {
  vi.spyOn(Api.prototype, 'data').mockResolvedValue({ build: 'b1' })
  const reload = vi.fn()
  const miss = await waiting(reload)
  await miss()
  expect(reload).not.toHaveBeenCalled()
  await miss()
  await miss()
  expect(reload).toHaveBeenCalledOnce()
})
