import { expect, it } from 'vitest'

import { timeText } from './times'

const night = Date.UTC(2025, 5, 6, 13, 5) // Friday 21:05 in Beijing
const monday = Date.UTC(2025, 5, 8, 16) // Monday's midnight there

it("shows the exchange's clock", () => expect(timeText(night, '1m', true, monday)).toBe('21:05'))

it("says whose trading day a night's bar is", () => {
  expect(timeText(night, '1m', false, monday)).toBe('2025-06-06 21:05（06-09）')
})

it('says nothing where it is the same day', () => {
  expect(timeText(Date.UTC(2025, 5, 6, 2), '5m', false, Date.UTC(2025, 5, 5, 16))).toBe('2025-06-06 10:00')
})

it('shows a day bar by its day', () => expect(timeText(monday, '1d', false, monday)).toBe('2025-06-09'))
