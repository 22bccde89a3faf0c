/** CodeMirror as a strategy's editor. Loaded when an editor is opened, not before. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { pythonLanguage } from '@codemirror/lang-python'
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language'
import { lintKeymap } from '@codemirror/lint'
import { EditorState, StateEffect, StateField, type Extension } from '@codemirror/state'
import {
  crosshairCursor,
  Decoration,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  rectangularSelection,
  type DecorationSet,
} from '@codemirror/view'
import { tags } from '@lezer/highlight'

import { looks } from './looks'

export { pythonLanguage }

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
export const code = (): Extension => [
  pythonLanguage,
  syntaxHighlighting(colours),
  indentUnit.of('    '),
  looks(),
]

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

/** CodeMirror's basicSetup, but for what `typing.ts` brings and a highlighting of which nothing would be seen. */
export const editing = (): Extension => [
  lineNumbers(),
  highlightActiveLineGutter(),
  highlightSpecialChars(),
  history(),
  foldGutter(),
  drawSelection(),
  dropCursor(),
  EditorState.allowMultipleSelections.of(true),
  indentOnInput(),
  bracketMatching(),
  rectangularSelection(),
  crosshairCursor(),
  highlightActiveLine(),
  keymap.of([...defaultKeymap, ...historyKeymap, ...foldKeymap, ...lintKeymap]),
  typedOver,
  code(),
  keymap.of([indentWithTab]), // Esc, then Tab leaves: CodeMirror's own
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
