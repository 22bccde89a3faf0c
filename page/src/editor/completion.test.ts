import { CompletionContext } from '@codemirror/autocomplete'
import { EditorState } from '@codemirror/state'
import { expect, it } from 'vitest'

import { complete } from './completion'

function offered(code: string): string[] {
  const state = EditorState.create({ doc: code })
  const found = complete(new CompletionContext(state, code.length, false))
  return found?.options.map(({ label }) => label) ?? []
}

it.each([
  ['self.action.', 'buy_open'],
  ['self.center.get', 'get_position'],
  ['self.', 'instrument_set'],
  ['    def ', 'on_bar'],
  ['    def on_', 'on_trade'],
  ['x = bar.cl', 'close_price'],
  ['Offset.', 'CLOSETODAY'],
  ['x: Ti', 'TickData'],
])('after %s there is %s', (code, name) => expect(offered(code)).toContain(name))

it('offers nothing of ours after a name that it does not know', () => {
  expect(offered('other.')).toEqual([])
  expect(offered('')).toEqual([])
})
