import { describe, expect, it } from 'vitest'

import { ACTIONS, actionOf, completed, DEFAULT_KEYS, isTyping, keyName, typesNothing } from './hotkeys'

const press = (key: string, more: Partial<KeyboardEvent> = {}) => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  isComposing: false,
  repeat: false,
  ...more,
})

describe('the name of a key', () => {
  it.each([
    [press('b'), 'B'],
    [press('B'), 'B'], // Caps Lock
    [press('B', { shiftKey: true }), 'Shift+B'],
    [press('+', { shiftKey: true }), '+'],
    [press('F8'), 'F8'],
    [press('F8', { shiftKey: true }), 'Shift+F8'],
    [press('b', { ctrlKey: true }), ''],
    [press('b', { metaKey: true }), ''],
    [press('b', { altKey: true }), ''],
    [press('b', { isComposing: true }), ''],
    [press('Process'), ''],
    [press('Escape'), ''],
    [press('Enter'), ''],
    [press(' '), ''],
    [press('?', { shiftKey: true }), ''],
    [press('Shift', { shiftKey: true }), ''],
    [press('ArrowUp'), ''],
  ])('%j is %s', (event, name) => expect(keyName(event)).toBe(name))
})

describe('what a key does', () => {
  it('is its action', () => {
    expect(actionOf(press('b'), DEFAULT_KEYS, false)).toBe('buyOpponent')
    expect(actionOf(press('S', { shiftKey: true }), DEFAULT_KEYS, false)).toBe('sellQueue')
    expect(actionOf(press('k'), DEFAULT_KEYS, false)).toBeUndefined()
  })
  it('happens once for a key held down', () => {
    expect(actionOf(press('b', { repeat: true }), DEFAULT_KEYS, false)).toBeUndefined()
    expect(actionOf(press('F8', { repeat: true }), DEFAULT_KEYS, false)).toBeUndefined()
  })
  it('is nothing while somebody types, but for 全撤', () => {
    const done = ACTIONS.filter((action) => {
      const name = DEFAULT_KEYS[action]
      const key = name.replace('Shift+', '')
      return actionOf(press(key, { shiftKey: name !== key }), DEFAULT_KEYS, true)
    })
    expect(done).toEqual(['cancelAll'])
  })
  it('is nothing for a 全撤 on a letter while somebody types', () => {
    const keys = { ...DEFAULT_KEYS, cancelAll: 'C' }
    expect(actionOf(press('c'), keys, true)).toBeUndefined()
    expect(actionOf(press('c'), keys, false)).toBe('cancelAll')
  })
  it('goes by the keys that the trader has chosen', () => {
    const keys = completed({ buyOpponent: 'F1' })
    expect(actionOf(press('F1'), keys, false)).toBe('buyOpponent')
    expect(actionOf(press('b'), keys, false)).toBeUndefined()
    expect(keys.cancelAll).toBe('F8')
  })
})

it('has no key twice among the defaults', () => {
  expect(new Set(Object.values(DEFAULT_KEYS)).size).toBe(ACTIONS.length)
})

it('knows keys that type nothing', () => {
  expect(['F8', 'Shift+F1', 'B', '=', 'Backspace'].map(typesNothing)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
})

it('knows where somebody types', () => {
  document.body.innerHTML =
    '<input id="a"><input id="b" type="radio"><textarea id="c"></textarea><button id="d"></button>' +
    '<select id="e"></select><div contenteditable="true"><b id="f"></b></div><p id="g"></p>'
  const typing = [...'abcdefg'].filter((id) => isTyping(document.getElementById(id)))
  expect(typing).toEqual(['a', 'c', 'e', 'f'])
  expect(isTyping(null)).toBe(false)
})
