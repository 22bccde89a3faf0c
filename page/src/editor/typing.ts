/** What only who types has of the editor: completion, brackets that close, search. Fetched once the code is shown. */
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from '@codemirror/autocomplete'
import { globalCompletion, localCompletionSource } from '@codemirror/lang-python'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import type { Extension } from '@codemirror/state'
import { keymap } from '@codemirror/view'

import { complete } from './completion'
import { pythonLanguage } from './setup'

const sources = [complete, localCompletionSource, globalCompletion]

export const typing = (): Extension => [
  closeBrackets(),
  autocompletion(),
  highlightSelectionMatches(),
  keymap.of([...closeBracketsKeymap, ...searchKeymap, ...completionKeymap]),
  sources.map((autocomplete) => pythonLanguage.data.of({ autocomplete })),
]
