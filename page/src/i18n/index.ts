/**
 * The page's words. One file a section, both languages side by side: a key that lacks one fails the types. The
 * page loads the one that it speaks (vite.config.ts takes the files apart).
 */
import { computed, ref, shallowReactive, watchEffect } from 'vue'

import type { book } from './book'
import type { chart } from './chart'
import type { common } from './common'
import type { link } from './link'
import type { login } from './login'
import type { market } from './market'
import type { risk } from './risk'
import type { ticket } from './ticket'
import type { trade } from './trade'
import type { account } from './late/account'
import type { backtest } from './late/backtest'
import type { config } from './late/config'
import type { parts } from './late/parts'
import type { broker } from './late/broker'
import type { riskPage } from './late/riskPage'
import type { strategy } from './late/strategy'
import { zh } from './zh'

export type Language = 'zh' | 'en'

type Texts = Record<string, Record<string, string>>

interface Sections {
  common: typeof common
  login: typeof login
  link: typeof link
  market: typeof market
  trade: typeof trade
  ticket: typeof ticket
  book: typeof book
  chart: typeof chart
  account: typeof account
  strategy: typeof strategy
  risk: typeof risk
  riskPage: typeof riskPage
  config: typeof config
  backtest: typeof backtest
  parts: typeof parts
  broker: typeof broker
}
export type TextKey = {
  [S in keyof Sections]: `${S}.${Extract<keyof Sections[S]['zh'], string>}`
}[keyof Sections]

const PLACE = 'ctpbee.language'
export const language = ref<Language>(localStorage.getItem(PLACE) === 'en' ? 'en' : 'zh')

const texts = shallowReactive<{ zh: Texts; en?: Texts }>({ zh })

/** The sections that come with their screens: what they say in Chinese, in English once it is loaded, and its way. */
interface Late {
  zh: Texts[string]
  en?: Texts[string]
  load: () => Promise<Texts[string]>
}
const late = shallowReactive<Record<string, Late>>({})

/** Have the words of a screen that is loaded when it is wanted: what comes before it is no larger for them. */
export function learn(section: string, zh: Texts[string], load: Late['load']): void {
  late[section] = { zh, load }
}

/** Resolves once the page can speak its language; where that cannot be loaded it speaks Chinese. */
export async function speak(): Promise<void> {
  if (language.value !== 'en') return
  texts.en ??= (await import('./en')).en
  await Promise.all(
    Object.entries(late).map(async ([section, of]) => {
      if (!of.en) late[section] = { ...of, en: await of.load() }
    }),
  )
}

/** What brings words of its own is shown once it can speak them. */
export async function spoken<Part>(part: Promise<Part>): Promise<Part> {
  const found = await part
  await speak().catch(() => {})
  return found
}

// It follows the language, and what has been learnt since.
watchEffect(() => {
  void speak().catch(() => {})
  localStorage.setItem(PLACE, language.value)
  document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en'
})

/** The text of a key, `{name}` in it replaced. Read inside a template or a computed it follows the language. */
export function t(key: TextKey, values: Record<string, string | number> = {}): string {
  const dot = key.indexOf('.')
  const section = key.slice(0, dot)
  const of = late[section]
  const spoken = of ? (of[language.value] ?? of.zh) : (texts[language.value] ?? texts.zh)[section]
  const text = spoken?.[key.slice(dot + 1)] ?? key
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole))
}

export const isChinese = computed(() => language.value === 'zh')
