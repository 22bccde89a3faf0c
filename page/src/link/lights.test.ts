import { expect, it } from 'vitest'

import type { Status } from '@/api/rows'

import { parts } from './lights'

const part = (state: string, reason = '') => ({ state, reason, since: '2025-06-05 10:00:00.123' })
const status: Status = {
  td: part('ready'),
  md: part('connected'),
  store: part('down', '连不上'),
  calendar: part('sure'),
  gateway: part('connected'),
}
const lights = (...how: Parameters<typeof parts>) =>
  Object.fromEntries(parts(...how).map(({ key, light }) => [key, light]))

it('tells each part by itself: a front that is connected has not logged in yet', () => {
  expect(lights(true, status, 'up')).toEqual({
    ...{ page: 'good', gateway: 'good', td: 'good', md: 'wait', store: 'bad', host: 'good' },
  })
})

it('knows nothing of what lies behind a line that is cut', () => {
  expect(lights(false, status, 'up')).toEqual({
    ...{ page: 'bad', gateway: 'unknown', td: 'unknown', md: 'unknown', store: 'unknown', host: 'unknown' },
  })
})

it('gives the reason with the state', () => {
  expect(parts(true, status, 'down').find(({ key }) => key === 'store')!.words).toBe(
    '连不上数据库，先存在本机：连不上',
  )
})

it('shows a state that it does not know as it is', () => {
  const odd = { ...status, td: part('dancing') }
  expect(parts(true, odd, 'up').find(({ key }) => key === 'td')).toMatchObject({
    light: 'bad',
    words: 'dancing',
  })
})
