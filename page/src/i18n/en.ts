/** The English of all sections. */
import { gather } from './section'

export const en = gather(
  import.meta.glob(['./*.ts', '!./index.ts', '!./section.ts', '!./zh.ts', '!./en.ts'], {
    query: '?en',
    eager: true,
  }),
)
