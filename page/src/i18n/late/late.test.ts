import { afterEach, expect, it } from 'vitest'

import { language, learn, speak, t, type TextKey } from '@/i18n'

afterEach(() => (language.value = 'zh'))

it('a section that comes late is spoken in the language of the page, and in Chinese until that is there', async () => {
  const key = 'late.word' as TextKey
  expect(t(key)).toBe('late.word')
  language.value = 'en'
  await speak()
  let arrive = () => {}
  const arrived = new Promise<void>((resolve) => (arrive = resolve))
  learn('late', { word: '字' }, () => arrived.then(() => ({ word: 'word' })))
  expect(t(key)).toBe('字')
  arrive()
  await expect.poll(() => t(key)).toBe('word')
  language.value = 'zh'
  expect(t(key)).toBe('字')
})

it('a language that cannot be loaded leaves Chinese', async () => {
  language.value = 'en'
  learn('lost', { word: '字' }, () => Promise.reject(new Error('no line')))
  await speak().catch(() => {})
  expect(t('lost.word' as TextKey)).toBe('字')
})
