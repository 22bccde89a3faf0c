import { section } from './section'

export const link = section({
  zh: {
    page: '页面连接',
    td: '交易前置',
    md: '行情前置',
    store: '存储',
    gateway: '网关',
    host: '主机',
    pageLost: '页面与服务器断开',
    gatewayLost: '网关不在',
    gatewayFrozen: '网关没有应答',
    tdDown: '交易前置未就绪：{state}',
    mdDown: '行情前置未就绪：{state}',
    unknown: '状态未知',
  },
  en: {
    page: 'This page',
    td: 'Trade front',
    md: 'Market front',
    store: 'Store',
    gateway: 'Gateway',
    host: 'Host',
    pageLost: 'This page is cut off from the server',
    gatewayLost: 'The gateway is away',
    gatewayFrozen: 'The gateway does not answer',
    tdDown: 'Trade front not ready: {state}',
    mdDown: 'Market front not ready: {state}',
    unknown: 'not known',
  },
})
