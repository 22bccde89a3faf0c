import { section } from './section'

export const trade = section({
  zh: {
    title: '交易',
    unknownFate: '没有得到应答，报单是否到达柜台不明：未确认，请勿重复下单',
    neverArrived: '报单没有到达柜台',
  },
  en: {
    title: 'Trade',
    unknownFate: 'No answer came: whether the order reached the counter is not known. Do not send it again',
    neverArrived: 'The order never reached the counter',
  },
})
