/** How a broker's counter is reached, kept in this browser: addresses and names, never a password or code. */
import { ref, watch } from 'vue'

export interface Preset {
  name: string
  /** A name of the server's own list of fronts: with it the two addresses are not wanted. */
  front: string
  brokerid: string
  appid: string
  td_address: string
  md_address: string
}

export const EMPTY: Preset = { name: '', front: '', brokerid: '', appid: '', td_address: '', md_address: '' }

/** SimNow's, as it published them; its site has the word, and nothing of it could be tried here. */
export const SIMNOW: readonly Preset[] = [
  { ...simnow('SimNow', 'tcp://182.254.243.31:30001', 'tcp://182.254.243.31:30011') },
  { ...simnow('SimNow 7×24', 'tcp://182.254.243.31:40001', 'tcp://182.254.243.31:40011') },
]
export const SIMNOW_AUTH_CODE = '0000000000000000'

function simnow(name: string, td_address: string, md_address: string): Preset {
  return { ...EMPTY, name, brokerid: '9999', appid: 'simnow_client_test', td_address, md_address }
}

const PLACE = 'ctpbee.presets'
export const presets = ref<Preset[]>(kept())
watch(presets, (now) => localStorage.setItem(PLACE, JSON.stringify(now)), { deep: true })

/** Keep it, in place of one of the same name. Only a preset's own fields: what else is there stays out. */
export function keepPreset(preset: Preset): void {
  const plain = Object.fromEntries(Object.keys(EMPTY).map((key) => [key, preset[key as keyof Preset]]))
  presets.value = [...presets.value.filter(({ name }) => name !== preset.name), { ...EMPTY, ...plain }]
}

export function dropPreset(name: string): void {
  presets.value = presets.value.filter((preset) => preset.name !== name)
}

function kept(): Preset[] {
  try {
    const rows: Partial<Preset>[] = JSON.parse(localStorage.getItem(PLACE) ?? '[]')
    return rows.filter((row) => row.name).map((row) => ({ ...EMPTY, ...row }))
  } catch {
    return []
  }
}
