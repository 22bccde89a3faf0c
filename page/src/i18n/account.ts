import { section } from './section'

export const account = section({
  zh: {
    title: '账户',
  },
  en: {
    title: 'Account',
  },
})
