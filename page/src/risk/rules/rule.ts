/** A rule, or a dead man's switch, as it is typed in its form, and as PUT /risk takes it. Pure. */
import type { RiskMeasure, RiskRule, RiskSwitch } from '@/api/types'

/** Of the trader's own, as the server keeps it. */
export type Entry = Record<string, unknown>

export interface RuleForm {
  measure: string
  scope: string
  name: string
  limit: string
  warn: string
  action: string
  seconds: string
}

export const OFF = 'off'

export function formOf(rule: RiskRule): RuleForm {
  const { measure, scope, name, action } = rule
  const [limit, warn, seconds] = [rule.limit, rule.warn, rule.seconds].map(String) as [string, string, string]
  return { measure, scope, name, limit, warn, action, seconds: rule.seconds ? seconds : '' }
}

/** What a new one begins with. */
export function blankRule(measures: readonly RiskMeasure[]): RuleForm {
  return fitted(
    { measure: '', scope: '', name: '', limit: '', warn: '0.8', action: '', seconds: '' },
    measures,
  )
}

/** The form with a scope, an action and a window that its measure may have. */
export function fitted(form: RuleForm, measures: readonly RiskMeasure[]): RuleForm {
  const about = measures.find(({ measure }) => measure === form.measure) ?? measures[0]
  if (!about) return form
  const among = (value: string, all: readonly string[]) => (all.includes(value) ? value : (all[0] ?? ''))
  const scope = among(form.scope, about.scopes)
  return {
    ...form,
    measure: about.measure,
    scope,
    name: scope === 'account' ? '' : form.name,
    action: form.action === OFF ? OFF : among(form.action, about.actions),
    seconds: about.of === 'rate' ? form.seconds || '1' : '',
  }
}

/** What is kept of it. `rule`: what was changed, `own`: the entry behind it, if there is one. */
export function entryOf(form: RuleForm, rule?: RiskRule, own?: Entry): Entry {
  if (rule && form.action === OFF) return { id: rule.id, action: OFF }
  const numbers = {
    limit: numberOf(form.limit),
    warn: form.warn.trim() ? numberOf(form.warn) : 0,
    ...(form.seconds.trim() ? { seconds: numberOf(form.seconds) } : {}),
  }
  const changed = { ...numbers, action: form.action }
  if (rule && isDefault(own)) return { ...own, id: rule.id, ...changed }
  const { measure, scope, name } = form
  const id = own?.id === undefined ? {} : { id: own.id }
  return { ...id, measure, scope, ...(name.trim() ? { name: name.trim() } : {}), ...changed }
}

/** Whether a rule is there without the trader's doing; what he says of it changes its numbers alone. */
export function isDefault(own?: Entry): boolean {
  return !own || !('measure' in own)
}

/** As it was typed where it is no number: the server says so, at its field. */
function numberOf(text: string): number | string {
  return text.trim() && Number.isFinite(Number(text)) ? Number(text) : text.trim()
}

export interface SwitchForm {
  watch: string
  name: string
  seconds: string
  action: string
  contracts: string
}

export const isNamed = (watch: string) => watch === 'script' || watch === 'strategy'

export function switchForm(row: RiskSwitch): SwitchForm {
  const { watch, name, action, contracts } = row
  return { watch, name, seconds: String(row.seconds), action, contracts }
}

export function switchEntry(form: SwitchForm): Entry {
  const { watch, name, seconds, action, contracts } = form
  return {
    watch,
    ...(isNamed(watch) ? { name: name.trim() } : {}),
    seconds: numberOf(seconds),
    action,
    ...(watch === 'market' && contracts.trim() ? { contracts: contracts.trim() } : {}),
  }
}

/** The list with this one in the place of the one at `at`, or at the end; without it where there is none. */
export function withOne(entries: readonly Entry[], at: number | undefined, one?: Entry): Entry[] {
  const rest = one ? [one] : []
  if (at === undefined) return [...entries, ...rest]
  return entries.flatMap((entry, n) => (n === at ? rest : [entry]))
}
