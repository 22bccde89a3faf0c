import { readFileSync } from 'node:fs'

import { expect, it } from 'vitest'

import { PARAMETERS } from '../src/chart/indicators'
import { slim } from './slimChart'

const FILE = 'node_modules/klinecharts/dist/index.esm.js'
const whole = readFileSync(FILE, 'utf-8')

it('keeps the indicators that can be chosen, and no overlay', async () => {
  const chart = (await import(/* @vite-ignore */ asModule(slim(whole)))) as typeof import('klinecharts')
  expect(chart.getSupportedIndicators().sort()).toEqual(Object.keys(PARAMETERS).sort())
  expect(chart.getSupportedOverlays()).toEqual([])
  expect(chart.getSupportedFigures().sort()).toEqual(['circle', 'line', 'polygon', 'rect', 'text'])
})

it('shortens every use of a private name alike, and none that is a key or a string', () => {
  expect(slim(whole)).toContain('_prevOverlay: null')
  expect(slim(whole)).not.toContain('this._chartStore')
})

it('says what is not as it was', () => {
  expect(() => slim(whole.replace("name: 'KDJ'", "name: 'KD'"))).toThrow('extensions$2 has no KDJ')
  expect(() => slim(whole.replace('var extensions = [', 'var others = ['))).toThrow('no array extensions')
})

const asModule = (code: string) => `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`
