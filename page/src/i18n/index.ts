/** The page's words. One file a section, both languages side by side: a key that lacks one fails the types. */
import { computed, ref, watchEffect } from 'vue'

import { account } from './account'
import { book } from './book'
import { chart } from './chart'
import { common } from './common'
import { config } from './config'
import { link } from './link'
import { login } from './login'
import { market } from './market'
import { strategy } from './strategy'
import { ticket } from './ticket'
import { trade } from './trade'

export type Language = 'zh' | 'en'

const sections = { common, login, link, market, trade, ticket, book, chart, account, strategy, config }

type Sections = typeof sections
export type TextKey = {
  [S in keyof Sections]: `${S}.${Extract<keyof Sections[S]['zh'], string>}`
}[keyof Sections]

const PLACE = 'ctpbee.language'
export const language = ref<Language>(localStorage.getItem(PLACE) === 'en' ? 'en' : 'zh')

watchEffect(() => {
  localStorage.setItem(PLACE, language.value)
  document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en'
})

/** The text of a key, `{name}` in it replaced. Read inside a template or a computed it follows the language. */
export function t(key: TextKey, values: Record<string, string | number> = {}): string {
  const dot = key.indexOf('.')
  const section = sections[key.slice(0, dot) as keyof Sections][language.value] as Record<string, string>
  const text = section[key.slice(dot + 1)] ?? key
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole))
}

export const isChinese = computed(() => language.value === 'zh')
