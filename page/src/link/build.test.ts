import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { Api, NoAnswer } from '@/api/http'

import { reloadOnMissingChunk } from './build'

beforeEach(() => sessionStorage.clear())
afterEach(() => vi.restoreAllMocks())

const miss = async () => {
  dispatchEvent(new Event('vite:preloadError'))
  await new Promise((resolve) => setTimeout(resolve))
}

it('a chunk that is gone has the page loaded anew, once; one out of reach does not', async () => {
  const answer = vi.spyOn(Api.prototype, 'data').mockRejectedValue(new NoAnswer(''))
  const reload = vi.fn()
  reloadOnMissingChunk(reload)
  await miss()
  expect(reload).not.toHaveBeenCalled()
  answer.mockResolvedValue({ build: 'b2' })
  await miss()
  await miss()
  expect(reload).toHaveBeenCalledOnce()
})
