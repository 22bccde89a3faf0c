/** A section of one language alone: vite.config.ts takes it out of its file. */
declare module '*/account?zh' {
  export const account: Record<string, string>
}
declare module '*/account?en' {
  export const account: Record<string, string>
}
declare module '*/backtest?zh' {
  export const backtest: Record<string, string>
}
declare module '*/backtest?en' {
  export const backtest: Record<string, string>
}
declare module '*/config?zh' {
  export const config: Record<string, string>
}
declare module '*/config?en' {
  export const config: Record<string, string>
}
declare module '*/riskPage?zh' {
  export const riskPage: Record<string, string>
}
declare module '*/riskPage?en' {
  export const riskPage: Record<string, string>
}
declare module '*/strategy?zh' {
  export const strategy: Record<string, string>
}
declare module '*/strategy?en' {
  export const strategy: Record<string, string>
}
declare module '*/parts?zh' {
  export const parts: Record<string, string>
}
declare module '*/parts?en' {
  export const parts: Record<string, string>
}
declare module '*/broker?zh' {
  export const broker: Record<string, string>
}
declare module '*/broker?en' {
  export const broker: Record<string, string>
}
