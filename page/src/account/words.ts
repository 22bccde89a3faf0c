/** The words of this screen come with it. */
import { learn } from '@/i18n'
import { account } from '@/i18n/late/account?zh'

learn('account', account, async () => (await import('@/i18n/late/account?en')).account)
