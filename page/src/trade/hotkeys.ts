/** Which key means what. Pure: what it then does is useHotkeys.ts. */

export const ACTIONS = [
  'buyOpponent',
  'sellOpponent',
  'buyQueue',
  'sellQueue',
  'moreLots',
  'fewerLots',
  'toggleOffset',
  'closeContract',
  'cancelLast',
  'cancelAll',
] as const
export type HotkeyAction = (typeof ACTIONS)[number]
export type Hotkeys = Record<HotkeyAction, string>

export const DEFAULT_KEYS: Readonly<Hotkeys> = {
  buyOpponent: 'B',
  sellOpponent: 'S',
  buyQueue: 'Shift+B',
  sellQueue: 'Shift+S',
  moreLots: '=',
  fewerLots: '-',
  toggleOffset: 'O',
  closeContract: 'Q',
  cancelLast: 'X',
  cancelAll: 'F8',
}

/** Keys that are the page's or the browser's own, whatever a trader would like. */
const TAKEN = ['Escape', 'Enter', 'Tab', ' ', '?', '/', 'Process', 'Unidentified', 'Dead']
const MODIFIERS = ['Shift', 'Control', 'Alt', 'Meta', 'CapsLock', 'AltGraph']

type Pressed = Pick<
  KeyboardEvent,
  'key' | 'shiftKey' | 'ctrlKey' | 'altKey' | 'metaKey' | 'isComposing' | 'repeat'
>

/** The key's name, as `Shift+B` or `F8`; '' for what can be no hotkey. Caps Lock makes no difference. */
export function keyName(event: Pressed): string {
  const { key } = event
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return ''
  if (TAKEN.includes(key) || MODIFIERS.includes(key) || key.startsWith('Arrow')) return ''
  const isLetter = /^[a-z]$/i.test(key)
  // Of another key the shift is in what it writes: `+` is Shift and `=`.
  const shift = event.shiftKey && (isLetter || key.length > 1) ? 'Shift+' : ''
  return shift + (isLetter ? key.toUpperCase() : key)
}

/** Whether this key types nothing, so that it may work while somebody types. */
export function typesNothing(key: string): boolean {
  return /^(Shift\+)?F\d+$/.test(key)
}

/**
 * What this key press does while the hotkeys are armed. A key held down does nothing after the first time; while
 * somebody types only 全撤 works, and that only by a key that types nothing.
 */
export function actionOf(event: Pressed, keys: Hotkeys, typing: boolean): HotkeyAction | undefined {
  const name = keyName(event)
  if (!name || event.repeat) return undefined
  const action = ACTIONS.find((one) => keys[one] === name)
  if (typing && !(action === 'cancelAll' && typesNothing(name))) return undefined
  return action
}

/** Whether what has the focus takes letters. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  const field = target.closest('input, textarea, select, [contenteditable="true"], [role="textbox"]')
  return field !== null && !/^(radio|checkbox|button|submit)$/.test((field as HTMLInputElement).type ?? '')
}

/** Those that are kept, with what is new or missing by the defaults. */
export function completed(kept: Partial<Hotkeys> | undefined): Hotkeys {
  return { ...DEFAULT_KEYS, ...kept }
}
