import { mount } from '@vue/test-utils'
import { expect, it } from 'vitest'
import { h } from 'vue'

import DataTable from './DataTable.vue'

interface Row {
  id: string
  lots: number
}

function table(count: number) {
  const rows: Row[] = Array.from({ length: count }, (_, n) => ({ id: `r${n}`, lots: count - n }))
  return mount(DataTable<Row>, {
    props: {
      rows,
      columns: [
        { key: 'lots', label: '手数', width: 50, value: (row: Row) => row.lots },
        { key: 'act', label: '操作', width: 50 },
      ],
      rowKey: (row: Row) => row.id,
      label: '持仓',
      empty: '没有持仓',
    },
    slots: { 'cell-act': () => h('button', 'x') },
    attachTo: document.body,
  })
}
const chosen = (view: ReturnType<typeof table>) =>
  view.findAll('[aria-selected=true]').map((row) => row.text())

it('is chosen in and acted on by keys', async () => {
  const view = table(3)
  const grid = view.get('[role=grid]')
  await grid.trigger('keydown', { key: 'Enter' }) // nothing is chosen
  await grid.trigger('keydown', { key: 'ArrowDown' })
  await grid.trigger('keydown', { key: 'ArrowDown' })
  await grid.trigger('keydown', { key: 'Enter' })
  await grid.trigger('keydown', { key: 'Enter', repeat: true }) // held down
  await grid.trigger('keydown', { key: 'Delete' })
  expect(view.emitted('act')).toEqual([[{ id: 'r1', lots: 2 }]])
  expect(view.emitted('remove')).toEqual([[{ id: 'r1', lots: 2 }]])
  expect(grid.attributes('aria-activedescendant')).toBe(view.get('[aria-selected=true]').attributes('id'))
})

it('leaves keys and double clicks of a button in a row to the button', async () => {
  const view = table(3)
  await view.get('tbody button').trigger('keydown', { key: 'Enter' })
  await view.get('tbody button').trigger('dblclick')
  expect(view.emitted('act')).toBeUndefined()
  await view.get('tbody td').trigger('dblclick')
  expect(view.emitted('act')).toHaveLength(1)
})

it('is sorted by its heads, and keeps what was chosen', async () => {
  const view = table(3)
  await view.get('tbody td').trigger('click')
  expect(chosen(view)).toEqual(['3x'])
  await view.get('th button').trigger('click')
  expect(view.get('th').attributes('aria-sort')).toBe('ascending')
  expect(view.findAll('tbody tr').map((row) => row.text())).toEqual(['1x', '2x', '3x'])
  expect(chosen(view)).toEqual(['3x'])
})

it('has only the rows in sight where there are thousands, and counts all', () => {
  const view = table(5000)
  expect(view.findAll('[aria-selected]').length).toBeLessThan(60)
  expect(view.get('[role=grid]').attributes('aria-rowcount')).toBe('5001')
})

it('says that there is nothing', () => expect(table(0).text()).toContain('没有持仓'))
