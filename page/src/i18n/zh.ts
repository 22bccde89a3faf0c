/** The Chinese of all sections. */
import { gather } from './section'

export const zh = gather(
  import.meta.glob(['./*.ts', '!./index.ts', '!./section.ts', '!./zh.ts', '!./en.ts'], {
    query: '?zh',
    eager: true,
  }),
)
