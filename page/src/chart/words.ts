/** KLineChart's own words in Chinese, as a trader's terminal abbreviates them. */
import { registerLocale } from 'klinecharts'

const ZH = {
  time: '时间：',
  open: '开：',
  high: '高：',
  low: '低：',
  close: '收：',
  volume: '量：',
  change: '幅：',
  turnover: '额：',
  second: '秒',
  minute: '分',
  hour: '时',
  day: '日',
  week: '周',
  month: '月',
  year: '年',
}

export function registerChinese(): void {
  registerLocale('zh-CN', ZH)
}
