/** CodeMirror as a strategy's editor. Loaded when an editor is opened, not before. */
import { indentWithTab } from '@codemirror/commands'
import { python, pythonLanguage } from '@codemirror/lang-python'
import { HighlightStyle, indentUnit, syntaxHighlighting } from '@codemirror/language'
import { EditorState, StateEffect, StateField, type Extension } from '@codemirror/state'
import { Decoration, EditorView, keymap, type DecorationSet } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { basicSetup } from 'codemirror'

import { complete } from './completion'
import { looks } from './looks'

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.bool, tags.null], color: 'var(--code-keyword)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--code-string)' },
  { tag: [tags.number], color: 'var(--code-number)' },
  { tag: [tags.comment], color: 'var(--muted)' },
  {
    tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)],
    color: 'var(--code-name)',
  },
])

/** A strategy's code in its colours; what both the editor and the difference have. */
export const code = (): Extension => [python(), syntaxHighlighting(colours), indentUnit.of('    '), looks()]

/**
 * What is typed over a selection is put in by us: Chromium would keep the selection's look as an inline style,
 * which the page's policy refuses.
 */
const typedOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { main } = view.state.selection
    if (event.inputType !== 'insertText' || !event.data || main.empty || view.state.readOnly) return false
    const insert = () =>
      view.state.update(view.state.replaceSelection(event.data!), {
        userEvent: 'input.type',
        scrollIntoView: true,
      })
    const handlers = view.state.facet(EditorView.inputHandler)
    const isHandled = handlers.some((handle) => handle(view, main.from, main.to, event.data!, insert))
    if (!isHandled) view.dispatch(insert())
    return true
  },
})

export const editing = (): Extension => [
  basicSetup,
  typedOver,
  code(),
  keymap.of([indentWithTab]), // Esc, then Tab leaves: CodeMirror's own
  pythonLanguage.data.of({ autocomplete: complete }),
  EditorState.allowMultipleSelections.of(true),
]

/** Mark a line as where it broke; 0 takes the mark away. */
export const markBroken = StateEffect.define<number>()

export const brokenLine = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    let now = marks.map(transaction.changes)
    for (const effect of transaction.effects) {
      if (!effect.is(markBroken)) continue
      const line = effect.value
      now = Decoration.none
      if (line >= 1 && line <= transaction.newDoc.lines) {
        now = Decoration.set(
          Decoration.line({ class: 'cm-broken' }).range(transaction.newDoc.line(line).from),
        )
      }
    }
    return now
  },
  provide: (field) => EditorView.decorations.from(field),
})

/** The caret at the beginning of a line, the line in the middle of what is seen. */
export function goTo(view: EditorView, line: number): void {
  const { from } = view.state.doc.line(Math.min(Math.max(1, line), view.state.doc.lines))
  view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) })
  view.focus()
}
