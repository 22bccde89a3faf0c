import '@/ui/tokens.css'
import '@/ui/base.css'

import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from '@/App.vue'
import { reloadOnMissingChunk } from '@/link/build'
import { router } from '@/router'

reloadOnMissingChunk()
createApp(App).use(createPinia()).use(router).mount('#app')
