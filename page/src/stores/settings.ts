/** How this person wants the page: kept in this browser, for all accounts. */
import { defineStore } from 'pinia'
import { computed, reactive, watch, watchEffect } from 'vue'

import { completed, DEFAULT_KEYS, type Hotkeys } from '@/trade/hotkeys'

export interface Settings {
  theme: 'system' | 'light' | 'dark'
  /** 红涨绿跌 as in China, or green up as elsewhere. */
  redUp: boolean
  sound: boolean
  /** Ask before an order, a close, a cancel of all. */
  confirmOrders: boolean
  hotkeys: Hotkeys
}

const PLACE = 'ctpbee.settings'
const DEFAULTS: Settings = {
  theme: 'system',
  redUp: true,
  sound: true,
  confirmOrders: true,
  hotkeys: DEFAULT_KEYS,
}

export const useSettings = defineStore('settings', () => {
  const settings = reactive<Settings>({ ...DEFAULTS, ...kept() })
  const systemDark = matchMedia('(prefers-color-scheme: dark)')
  const system = reactive({ dark: systemDark.matches })
  systemDark.addEventListener('change', ({ matches }) => (system.dark = matches))
  const dark = computed(() => (settings.theme === 'system' ? system.dark : settings.theme === 'dark'))

  watch(settings, (now) => localStorage.setItem(PLACE, JSON.stringify(now)))
  watchEffect(() => {
    const root = document.documentElement
    root.dataset.theme = dark.value ? 'dark' : 'light'
    root.dataset.up = settings.redUp ? 'red' : 'green'
  })
  return { settings, dark }
})

function kept(): Partial<Settings> {
  try {
    const before: Partial<Settings> = JSON.parse(localStorage.getItem(PLACE) ?? '{}')
    return { ...before, hotkeys: completed(before.hotkeys) }
  } catch {
    return {}
  }
}
