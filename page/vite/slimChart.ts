/**
 * KLineChart without what the page never shows. Its one file registers 27 indicators, 16 overlays and 7 figures in
 * arrays, so that no bundler can drop them; and it is compiled to old classes, whose long private names stay.
 * Where another version is written otherwise, the build fails here and says what it did not find.
 */
import type { Plugin } from 'vite'

import { PARAMETERS } from '../src/chart/indicators.ts'

const FILE = /\/klinecharts\/dist\/index\.esm\.js$/
/** Those that its own views draw with, and ours. */
const FIGURES = ['circle', 'line', 'polygon', 'rect', 'text']

/** The arrays that are registered, by how they are called in the file, with what is kept of each. */
const REGISTERED = [
  { array: 'extensions$2', kept: Object.keys(PARAMETERS) },
  { array: 'extensions$1', kept: FIGURES },
  { array: 'extensions', kept: [] }, // all overlays on the chart are our own (drawings.ts)
]

export function slim(code: string): string {
  const trimmed = REGISTERED.reduce((text, { array, kept }) => only(text, array, kept), code)
  return shortened(pure(trimmed))
}

/** The array with those variables alone whose `name:` is kept. */
function only(code: string, array: string, kept: readonly string[]): string {
  const [whole, list] =
    new RegExp(`^var ${array.replace('$', '\\$')} = \\[([^\\]]*)\\];$`, 'm').exec(code) ?? []
  if (!whole || !list) throw new Error(`klinecharts: no array ${array}`)
  const variables = new Map(list.split(',').map((one) => [nameOf(code, one.trim()), one.trim()]))
  const found = kept.map((name) => {
    const variable = variables.get(name)
    if (!variable) throw new Error(`klinecharts: ${array} has no ${name}`)
    return variable
  })
  return code.replace(whole, () => `var ${array} = [${found.join(', ')}];`)
}

/** What the template in this variable calls itself. */
function nameOf(code: string, variable: string): string {
  const name = new RegExp(`^var ${variable} = \\{\\n    name: '(\\w+)'`, 'm').exec(code)?.[1]
  if (!name) throw new Error(`klinecharts: no name in ${variable}`)
  return name
}

/** Classes that nothing uses any more can go: what makes one does nothing else. */
const pure = (code: string) => code.replaceAll('/** @class */ (function', '/* @__PURE__ */ (function')

/** Private members, each with a short name of its own; not those that are also a string or a key somewhere. */
function shortened(code: string): string {
  const written = new Set(
    [...code.matchAll(/['"](_[a-zA-Z]\w+)['"]|\b(_[a-zA-Z]\w+):/g)].map((at) => at[1] ?? at[2]),
  )
  const names = new Map<string, string>()
  return code.replace(/(?<=\.)_[a-zA-Z]\w{2,}/g, (name) => {
    if (written.has(name)) return name
    if (!names.has(name)) names.set(name, `_${names.size.toString(36)}`)
    return names.get(name)!
  })
}

export const slimChart: Plugin = {
  name: 'slim-chart',
  apply: 'build',
  enforce: 'pre',
  transform(code, id) {
    return FILE.test(id) ? { code: slim(code), map: null } : undefined
  },
}
