/** The words of the risk screen come with it. */
import { learn } from '@/i18n'
import { riskPage } from '@/i18n/late/riskPage?zh'

learn('riskPage', riskPage, async () => (await import('@/i18n/late/riskPage?en')).riskPage)
