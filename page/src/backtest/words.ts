/** The words of this screen come with it. */
import { learn } from '@/i18n'
import { backtest } from '@/i18n/late/backtest?zh'
import '@/account/words'
import '@/strategies/words'

learn('backtest', backtest, async () => (await import('@/i18n/late/backtest?en')).backtest)
