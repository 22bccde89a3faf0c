/** What ctpbee offers at this place of a strategy's code. The names are names.json's, held to ctpbee by a test. */
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete'

import names from './names.json'

const described = (entries: Record<string, string>, type: string): Completion[] =>
  Object.entries(entries).map(([label, info]) => ({ label, detail: info, type }))
const plain = (words: string, type: string): Completion[] =>
  words.split(' ').map((label) => ({ label, type }))

const callbacks: Completion[] = Object.entries(names.callbacks).map(([label, parameter]) => ({
  label,
  detail: parameter,
  type: 'method',
  apply: `${label}(self${parameter && `, ${parameter}`}) -> None:\n        `,
  boost: 1,
}))

/** By what stands before the last dot. */
const AFTER: Record<string, Completion[]> = {
  self: described(names.self, 'property'),
  'self.action': described(names.action, 'method'),
  'self.center': described(names.center, 'method'),
  'self.recorder': described(names.recorder, 'method'),
  ...Object.fromEntries(
    Object.entries(names.data).map(([name, { fields }]) => [name, plain(fields, 'property')]),
  ),
  ...Object.fromEntries(
    Object.entries(names.constants).map(([name, members]) => [name, plain(members, 'constant')]),
  ),
}
const WORDS: Completion[] = [
  ...plain(
    Object.values(names.data)
      .map(({ type }) => type)
      .join(' '),
    'class',
  ),
  ...plain(Object.keys(names.constants).join(' '), 'enum'),
  { label: 'CtpbeeApi', type: 'class' },
]

export function complete(context: CompletionContext): CompletionResult | null {
  const before = context.matchBefore(/[\w.]*/)?.text ?? ''
  const dot = before.lastIndexOf('.')
  const word = before.slice(dot + 1)
  const from = context.pos - word.length
  const options = dot >= 0 ? AFTER[before.slice(0, dot)] : bare(context, from, word)
  if (!options) return null
  return { from, options, validFor: /^\w*$/ }
}

function bare(context: CompletionContext, from: number, word: string): Completion[] | undefined {
  if (isMethodName(context, from)) return callbacks
  return word || context.explicit ? WORDS : undefined
}

function isMethodName(context: CompletionContext, from: number): boolean {
  const line = context.state.doc.lineAt(from)
  return /^\s+def\s+$/.test(line.text.slice(0, from - line.from))
}
