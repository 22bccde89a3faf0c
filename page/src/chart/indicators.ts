/** The indicators that can be chosen, by where they stand. */
export const ON_PRICE = ['MA', 'EMA', 'BOLL'] as const
export const BELOW = ['VOL', 'MACD', 'KDJ', 'RSI'] as const
export type IndicatorName = (typeof ON_PRICE)[number] | (typeof BELOW)[number]

/** What Chinese terminals show by default. */
export const PARAMETERS: Record<IndicatorName, number[]> = {
  MA: [5, 10, 20, 60],
  EMA: [5, 10, 20, 60],
  BOLL: [20, 2],
  VOL: [5, 10],
  MACD: [12, 26, 9],
  KDJ: [9, 3, 3],
  RSI: [6, 12, 24],
}

export function isIndicator(name: string): name is IndicatorName {
  return name in PARAMETERS
}
