/** The words of this screen come with it. */
import { learn } from '@/i18n'
import { strategy } from '@/i18n/late/strategy?zh'

learn('strategy', strategy, async () => (await import('@/i18n/late/strategy?en')).strategy)
