/** The words of these parts come with them. */
import { learn } from '@/i18n'
import { parts } from '@/i18n/late/parts?zh'

learn('parts', parts, async () => (await import('@/i18n/late/parts?en')).parts)
