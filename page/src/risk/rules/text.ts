/** Rules in words. */
import type { RiskRule } from '@/api/types'
import { t, type TextKey } from '@/i18n'

/** A word of the server's, as `m_orders`; what this page does not know yet is shown as the server has it. */
export function word(prefix: string, key: string, known = key): string {
  const name = `riskPage.${prefix}_${key}`
  const text = t(name as TextKey)
  return text === name ? known : text
}

export function scopeText({ scope, name, exchange, products }: RiskRule): string {
  const narrow = [exchange, products.join(' ')].filter(Boolean).join(' ')
  if (scope === 'account') return narrow || word('scope', scope)
  return [narrow, word('scope', scope), name || t('riskPage.each')].filter(Boolean).join(' ')
}
