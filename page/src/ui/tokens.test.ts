import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, it } from 'vitest'

const css = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf-8')

/** The colours that a rule of tokens.css sets, by name. */
function coloursOf(selector: string): Map<string, string> {
  const rule = css.slice(css.indexOf(`${selector} {`)).split('}')[0]!
  return new Map([...rule.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name!, value!]))
}

/** Of light, as WCAG 2.2 counts it (relative luminance). */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (light! + 0.05) / (dark! + 0.05)
}

const TEXTS = ['text', 'muted', 'accent', 'red', 'green', 'warn', 'bad', 'unsure']
const GROUNDS = ['bg', 'panel', 'raised', 'select']
/** What only stands on its own ground. */
const ON_ITS_OWN = [
  ['warn', 'warn-bg'],
  ['bad', 'bad-bg'],
  ['unsure', 'unsure-bg'],
  ...['warn-bg', 'bad-bg', 'good-bg', 'unsure-bg'].map((ground) => ['text', ground]),
]

it.each([':root', ":root[data-theme='dark']"])('every text can be read on every ground: %s', (theme) => {
  const colours = coloursOf(theme)
  const pairs = [...TEXTS.flatMap((text) => GROUNDS.map((ground) => [text, ground])), ...ON_ITS_OWN]
  const weak = pairs.filter(([text, ground]) => contrast(colours.get(text!)!, colours.get(ground!)!) < 4.5)
  expect(weak).toEqual([])
})
