import '@/ui/tokens.css'
import '@/ui/base.css'

import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from '@/App.vue'
import { speak } from '@/i18n'
import { reloadOnMissingChunk } from '@/link/build'
import { router } from '@/router'

reloadOnMissingChunk()
void speak()
  .catch(() => {})
  .then(() => createApp(App).use(createPinia()).use(router).mount('#app'))
