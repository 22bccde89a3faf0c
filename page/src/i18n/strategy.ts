import { section } from './section'

export const strategy = section({
  zh: {
    title: '策略',
  },
  en: {
    title: 'Strategy',
  },
})
