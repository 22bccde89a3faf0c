/** What a phone shows one at a time. */
export const PHONE_PANELS = ['quotes', 'chart', 'ticket', 'positions', 'orders'] as const
export type PhonePanel = (typeof PHONE_PANELS)[number]
