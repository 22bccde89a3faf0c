/** The screens. By the hash: `/market`, `/code` and their like are the API's. */
import { createRouter, createWebHashHistory } from 'vue-router'

import { spoken } from '@/i18n'

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', name: 'trade', component: () => import('@/pages/Trade.vue') },
    {
      path: '/strategies/:name?',
      name: 'strategies',
      component: () => spoken(import('@/pages/Strategies.vue')),
    },
    { path: '/backtest/:id?', name: 'backtest', component: () => spoken(import('@/pages/Backtest.vue')) },
    { path: '/risk/:part?', name: 'risk', component: () => spoken(import('@/pages/Risk.vue')) },
    { path: '/account', name: 'account', component: () => spoken(import('@/pages/Account.vue')) },
    { path: '/settings', name: 'settings', component: () => spoken(import('@/pages/Settings.vue')) },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})
