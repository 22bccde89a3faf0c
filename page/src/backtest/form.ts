/** What a backtest is asked with: the form's texts, and the fields of POST /backtest that they make. Pure
 * but for the language. */
import type { Fields } from '@/api/http'
import { t } from '@/i18n'

import { emptySearch, requestOf, searchOf, type SearchForm } from './space'
import type { BarsThere, DataThere, Job, Parameter, Value, Values } from './rows'
import { dayText } from './figures'

export interface RunForm {
  strategy: string
  /** Empty: the newest. */
  version: string
  source: 'store' | 'files'
  by: 'bars' | 'ticks'
  /** Whole names, and products, which stand for their main contracts. */
  contracts: string[]
  /** Trading days without orders after a main contract has changed. */
  main_warm_up: string
  files: string[]
  /** Of files that do not name their contract, and whether their bars are called by their start or end. */
  symbol: string
  label: '' | 'start' | 'end'
  /** `YYYY-MM-DD`; empty: as far as there are bars. */
  start: string
  end: string
  capital: string
  /** What was typed, by the parameter's name; the default where nothing was. */
  parameters: Record<string, string>
  spread_ticks: string
  slippage_ticks: string
  latency_ms: string
  participation: string
  /** A rates.csv: its text and its name. */
  rates: string
  ratesName: string
  /** In their place: the earlier job whose rates file is used again. */
  ratesOf: string
  title: string
  search: SearchForm
}

export const emptyForm = (): RunForm => ({
  strategy: '',
  version: '',
  source: 'store',
  by: 'bars',
  contracts: [],
  main_warm_up: '10',
  files: [],
  symbol: '',
  label: '',
  start: '',
  end: '',
  capital: '1000000',
  parameters: {},
  spread_ticks: '1',
  slippage_ticks: '0',
  latency_ms: '',
  participation: '0.25',
  rates: '',
  ratesName: '',
  ratesOf: '',
  title: '',
  search: emptySearch(),
})

/** The form as this job was asked for, with the rates file that it was run with. */
export function formOf(job: Job): RunForm {
  const { latency_ms: latency } = job.fills
  return {
    ...emptyForm(),
    strategy: job.strategy,
    version: job.version ? String(job.version) : '',
    source: job.files.length ? 'files' : 'store',
    by: job.by,
    contracts: [...job.contracts, ...job.main],
    main_warm_up: String(job.main_warm_up),
    files: job.files,
    symbol: job.symbol,
    label: job.label === 'start' || job.label === 'end' ? job.label : '',
    start: dayText(job.start),
    end: dayText(job.end),
    capital: String(job.capital),
    parameters: Object.fromEntries(Object.entries(job.parameters).map(([name, of]) => [name, shown(of)])),
    spread_ticks: String(job.fills.spread_ticks),
    slippage_ticks: String(job.fills.slippage_ticks),
    latency_ms: latency === null ? '' : String(latency),
    participation: String(job.fills.participation),
    ratesOf: job.rates ? job.id : '',
    title: job.title === job.strategy ? '' : job.title,
    search: searchOf(job.search),
  }
}

/** A value as it is written in the form. */
export const shown = (value: Value): string => String(value)

/** The value of what was typed for a parameter; undefined where it is none of its kind. */
export function valueOf(text: string, kind: Parameter['kind']): Value | undefined {
  const plain = text.trim()
  if (kind === 'text') return text
  if (kind === 'bool') return { true: true, false: false }[plain]
  if (kind === 'int') return /^[+-]?\d+$/.test(plain) ? Number(plain) : undefined
  return plain && Number.isFinite(Number(plain)) ? Number(plain) : undefined
}

/** The parameters whose text is no value of their kind. */
export function wrongOf(form: RunForm, known: readonly Parameter[]): string[] {
  return known
    .filter(({ name, kind }) => {
      const text = form.parameters[name]
      return text !== undefined && valueOf(text, kind) === undefined
    })
    .map(({ name }) => name)
}

/** Those that were given another value than the strategy's own. */
export function changedOf(form: RunForm, known: readonly Parameter[]): Values {
  const changed: Values = {}
  for (const { name, kind, default: own } of known) {
    const text = form.parameters[name]
    const value = text === undefined ? undefined : valueOf(text, kind)
    if (value !== undefined && value !== own) changed[name] = value
  }
  return changed
}

const isProduct = (name: string): boolean => !name.includes('.')
export const mainOf = ({ contracts }: Pick<RunForm, 'contracts'>): string[] => contracts.filter(isProduct)

export function fieldsOf(form: RunForm, known: readonly Parameter[]): Fields {
  const ofTicks = form.by === 'ticks'
  const ofFiles = form.source === 'files'
  const main = mainOf(form)
  return {
    name: form.strategy,
    version: form.version || undefined,
    by: form.by,
    contracts: form.contracts.filter((name) => !isProduct(name)).join(',') || undefined,
    main: main.join(',') || undefined,
    main_warm_up: main.length ? form.main_warm_up : undefined,
    files: ofFiles ? form.files.join(',') : undefined,
    symbol: (ofFiles && form.symbol) || undefined,
    label: (ofFiles && !ofTicks && form.label) || undefined,
    start: form.start || undefined,
    end: form.end || undefined,
    capital: form.capital,
    parameters: JSON.stringify(changedOf(form, known)),
    spread_ticks: ofTicks ? undefined : form.spread_ticks,
    participation: ofTicks ? undefined : form.participation,
    slippage_ticks: form.slippage_ticks,
    latency_ms: ofTicks ? form.latency_ms || undefined : undefined,
    rates: form.rates || undefined,
    rates_of: (!form.rates && form.ratesOf) || undefined,
    title: form.title || undefined,
    search: form.search.kind === 'run' ? undefined : JSON.stringify(requestOf(form.search)),
  }
}

/** A contract that bars are there for, or that is traded now. */
export interface Candidate {
  symbol: string
  name: string
  product: string
  local_symbol: string
  bars: BarsThere | undefined
}

/** What can be chosen: all that has bars, by its name where it is still traded; then each product's main contract. */
export function candidatesOf(
  there: DataThere | undefined,
  listed: ReadonlyMap<string, { name: string; product: string }>,
): Candidate[] {
  const contracts = (there?.store ?? []).map((bars) => {
    const symbol = bars.local_symbol.split('.')[0]!
    const of = listed.get(bars.local_symbol)
    const product = of?.product ?? symbol.replace(/\d+$/, '')
    return { symbol, name: of?.name ?? '', product, local_symbol: bars.local_symbol, bars }
  })
  const products = new Map<string, BarsThere>()
  for (const { product, bars } of contracts) {
    const all = products.get(product) ?? bars
    const first = all.first < bars.first ? all.first : bars.first
    const last = all.last > bars.last ? all.last : bars.last
    products.set(product, { local_symbol: product, first, last, count: all.count + bars.count })
  }
  const mains = [...products].map(([product, bars]) => {
    return { symbol: product, name: t('backtest.isMain'), product, local_symbol: product, bars }
  })
  return [...contracts, ...mains]
}

/** From when to when all of these have bars, as days; undefined where one has none, or where they never meet. */
export function rangeOf(
  contracts: readonly string[],
  candidates: readonly Candidate[],
): { first: string; last: string } | undefined {
  const bars = contracts.map((one) => candidates.find(({ local_symbol }) => local_symbol === one)?.bars)
  if (!bars.length || bars.some((one) => !one)) return undefined
  const first = bars.map((one) => one!.first.slice(0, 10)).reduce((a, b) => (a > b ? a : b))
  const last = bars.map((one) => one!.last.slice(0, 10)).reduce((a, b) => (a < b ? a : b))
  return first <= last ? { first, last } : undefined
}
