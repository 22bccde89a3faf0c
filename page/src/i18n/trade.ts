import { section } from './section'

export const trade = section({
  zh: {
    title: '交易',
    unknownFate: '没有得到应答，报单是否到达柜台不明：未确认，请勿重复下单',
    neverArrived: '服务器没有收到过这张报单：没有到达，已作废，不会再发出',
    arrivedAfterAll: '原以为没有到达的报单到了：{status}',
    fateKnown: '未确认的报单有结果了：{status}',
    sentTwice: '同一张报单还没有应答，或刚刚发出（0.3 秒内）：没有再发',
  },
  en: {
    title: 'Trade',
    unknownFate: 'No answer came: whether the order reached the counter is not known. Do not send it again',
    neverArrived: 'The server never had this order: it did not arrive, and is void: it will not be sent',
    arrivedAfterAll: 'The order that was thought lost has arrived: {status}',
    fateKnown: 'The unconfirmed order is settled: {status}',
    sentTwice: 'The same order has no answer yet, or was sent within 0.3 s: not sent again',
  },
})
