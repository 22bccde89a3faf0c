import { section } from './section'

export const chart = section({
  zh: {
    title: '图表',
  },
  en: {
    title: 'Chart',
  },
})
