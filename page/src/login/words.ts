/** The words of these parts come with them. */
import { learn } from '@/i18n'
import { broker } from '@/i18n/late/broker?zh'

learn('broker', broker, async () => (await import('@/i18n/late/broker?en')).broker)
