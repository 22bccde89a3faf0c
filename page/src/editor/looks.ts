/** The editor in the page's own colours, light and dark, and its words in the page's language. */
import { EditorState, type Extension } from '@codemirror/state'
import { EditorView } from '@codemirror/view'

import { isChinese } from '@/i18n'

const theme = EditorView.theme({
  '&': { height: '100%', color: 'var(--text)', backgroundColor: 'var(--panel)', fontSize: '13px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-gutters': { backgroundColor: 'var(--raised)', color: 'var(--muted)', borderColor: 'var(--line)' },
  '.cm-activeLine, .cm-activeLineGutter': {
    backgroundColor: 'color-mix(in srgb, var(--select) 40%, transparent)',
  },
  '.cm-broken': { backgroundColor: 'var(--bad-bg)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--select)',
  },
  '.cm-matchingBracket': { outline: '1px solid var(--accent)' },
  '.cm-panels, .cm-tooltip': {
    backgroundColor: 'var(--raised)',
    color: 'var(--text)',
    borderColor: 'var(--line)',
  },
  '.cm-button': { backgroundImage: 'none', backgroundColor: 'var(--panel)', borderColor: 'var(--line)' },
  '.cm-textfield': { backgroundColor: 'var(--panel)', borderColor: 'var(--line)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'var(--select)',
    color: 'var(--text)',
  },
  '.cm-completionDetail': { color: 'var(--muted)', fontStyle: 'normal' },
  '.cm-collapsedLines': { background: 'var(--raised)', color: 'var(--muted)' },
  '.cm-collapsedLines:before, .cm-collapsedLines:after': { content: '"⋯"' },
  '.cm-foldPlaceholder': {
    backgroundColor: 'var(--raised)',
    color: 'var(--muted)',
    borderColor: 'var(--line)',
  },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--warn)' },
})

const chinese = EditorState.phrases.of({
  Find: '查找',
  Replace: '替换为',
  next: '下一个',
  previous: '上一个',
  all: '全部',
  'match case': '区分大小写',
  'by word': '整词',
  regexp: '正则',
  replace: '替换',
  'replace all': '全部替换',
  close: '关闭',
  'Go to line': '跳到行',
  go: '跳转',
  'Fold line': '折叠',
  'Unfold line': '展开',
  '$ unchanged lines': '$ 行相同',
  Diagnostics: '检查所见',
  'No diagnostics': '没有问题',
  Completions: '补全',
})

/** As the page is when the editor is opened. */
export const looks = (): Extension => [
  theme,
  EditorView.darkTheme.of(document.documentElement.dataset.theme === 'dark'),
  isChinese.value ? chinese : [],
]
