/** The words of this screen come with it. */
import { learn } from '@/i18n'
import { config } from '@/i18n/late/config?zh'

learn('config', config, async () => (await import('@/i18n/late/config?en')).config)
