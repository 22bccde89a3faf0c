import { expect, it } from 'vitest'

import { changeOf } from './change'

it.each([
  [3102, 3090, 1, '+12', '+0.39%', 'up'],
  [3078, 3090, 1, '-12', '-0.39%', 'down'],
  [7360.2, 7360.4, 0.2, '-0.2', '-0.00%', 'down'],
  [3090, 3090, 1, '0', '0.00%', ''],
  [0, 3090, 1, '', '', ''],
  [3090, 0, 1, '', '', ''],
])('%d over %d by %d: %s %s', (last, base, tick, points, percent, way) => {
  expect(changeOf(last, base, tick)).toEqual({ points, percent, way })
})
