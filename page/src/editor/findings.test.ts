import { Text } from '@codemirror/state'
import { describe, expect, it } from 'vitest'

import type { Problem } from '@/strategies/rows'

import { isError, oneAtATime, placed } from './findings'

const problem = (code: string, line: number): Problem => ({
  code,
  line,
  error: '',
  message: `${code} at ${line}`,
  error_info: '',
})
const doc = Text.of(['import os', '', '    x = y'])

describe('what was found', () => {
  it('is marked from the first letter of its line to the end', () => {
    const [mark] = placed([problem('E0602', 3)], doc)
    expect(doc.sliceString(mark!.from, mark!.to)).toBe('x = y')
    expect(mark!.severity).toBe('error')
  })

  it('is on the nearest line where the code has none of that number', () => {
    const [first, last] = placed([problem('B9001', 0), problem('W0611', 99)], doc)
    expect(doc.lineAt(first!.from).number).toBe(1)
    expect(doc.lineAt(last!.from).number).toBe(3)
  })

  it('is an error where the code cannot be a strategy or cannot run', () => {
    const codes = ['E0602', 'F0001', 'B9001', 'B9010', 'W0611', 'B9020', 'B9021']
    expect(codes.filter((code) => isError({ code }))).toEqual(['E0602', 'F0001', 'B9001', 'B9010'])
  })
})

describe('one question at a time', () => {
  it('asks the first and the newest, none of those between', async () => {
    const asked: string[] = []
    const ends: (() => void)[] = []
    const ask = oneAtATime(
      (text: string) => new Promise<string>((end) => (asked.push(text), ends.push(() => end(`of ${text}`)))),
    )
    const answers = [ask('a')]
    await Promise.resolve()
    answers.push(ask('ab'), ask('abc'))
    ends.shift()!()
    expect(await Promise.all(answers.slice(0, 2))).toEqual(['of a', undefined])
    await new Promise((end) => setTimeout(end))
    ends.shift()!()
    expect(await answers[2]).toBe('of abc')
    expect(asked).toEqual(['a', 'abc'])
  })

  it('goes on after one that failed', async () => {
    let fails = true
    const ask = oneAtATime(async () => {
      if (fails) throw new Error('silence')
      return 1
    })
    await expect(ask('a')).rejects.toThrow('silence')
    fails = false
    expect(await ask('b')).toBe(1)
  })
})
