/** The screens. By the hash: `/market`, `/code` and their like are the API's. */
import { createRouter, createWebHashHistory } from 'vue-router'

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', name: 'trade', component: () => import('@/pages/Trade.vue') },
    { path: '/strategies/:name?', name: 'strategies', component: () => import('@/pages/Strategies.vue') },
    { path: '/risk', name: 'risk', component: () => import('@/pages/Risk.vue') },
    { path: '/account', name: 'account', component: () => import('@/pages/Account.vue') },
    { path: '/settings', name: 'settings', component: () => import('@/pages/Settings.vue') },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})
