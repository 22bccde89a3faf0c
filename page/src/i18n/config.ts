import { section } from './section'

export const config = section({
  zh: {
    title: '设置',
  },
  en: {
    title: 'Config',
  },
})
