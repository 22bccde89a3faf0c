/** A section of one language alone: vite.config.ts takes it out of its file. */
declare module '*/backtest?zh' {
  export const backtest: Record<string, string>
}
declare module '*/backtest?en' {
  export const backtest: Record<string, string>
}
declare module '*/strategy?zh' {
  export const strategy: Record<string, string>
}
declare module '*/strategy?en' {
  export const strategy: Record<string, string>
}
