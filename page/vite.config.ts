import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

import { chunkName } from './vite/chunks.ts'
import { slimChart } from './vite/slimChart.ts'

// The server that `npm run dev` stands before: `python3 run.py` on its default port.
const server = process.env.CTPBEE_BACKEND_URL ?? 'http://127.0.0.1:5000'
const routes = [
  ...['login', 'logout', 'password', 'fronts', 'build.json', 'openapi.json', 'healthz', 'readyz'],
  ...[
    'market',
    'contract',
    'tick',
    'account',
    'order_solve',
    'close_position',
    'order_preview',
    'bar',
    'equity',
  ],
  ...[
    'config',
    'auth_code',
    'code',
    'check_code',
    'run_code',
    'strategy',
    'events',
    'settlement',
    'risk',
    'backtest',
  ],
]

/**
 * A section of the page's words imported with `?zh` or `?en` is that language alone. By its form, which prettier
 * keeps: `section({`, then each language as an object of its own.
 */
const oneLanguage: Plugin = {
  name: 'one-language',
  enforce: 'pre',
  transform(code, id) {
    const language = /\/src\/i18n\/(?:late\/)?\w+\.ts\?(zh|en)$/.exec(id)?.[1]
    if (!language) return
    const name = /export const (\w+) = section\(\{/.exec(code)?.[1]
    const texts = new RegExp(`\n  ${language}: (\\{\n[^]*?\n  \\}),\n`).exec(code)?.[1]
    if (!name || !texts) throw new Error(`${id}: no texts in ${language}`)
    return { code: `export const ${name} = ${texts}`, map: null }
  },
}

/** The socket's transports that are asked for (src/api/socket.ts): WebTransport is none of them. */
const twoTransports: Plugin = {
  name: 'two-transports',
  apply: 'build',
  transform(code, id) {
    if (!/\/engine\.io-client\/build\/esm\/transports\/index\.js$/.test(id)) return
    if (!code.includes('webtransport: WT,')) throw new Error(`${id}: no WebTransport`)
    return { code: code.replace('webtransport: WT,', ''), map: null }
  },
}

/** Python for who types is apart from Python for who reads, though both are of one module. */
const pythonTwice: Plugin = {
  name: 'python-twice',
  apply: 'build',
  enforce: 'pre',
  async resolveId(source, importer) {
    if (source !== '@codemirror/lang-python' || !importer?.endsWith('/src/editor/typing.ts')) return
    const found = await this.resolve(source, importer, { skipSelf: true })
    return found && { ...found, id: `${found.id}?typing` }
  },
}

const root = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '')

export default defineConfig({
  base: './',
  plugins: [oneLanguage, slimChart, twoTransports, pythonTwice, vue({ features: { optionsAPI: false } })],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'es2022',
    rolldownOptions: {
      input: ['index.html', 'docs.html'],
      output: {
        codeSplitting: {
          groups: [{ name: chunkName(root), debugName: 'screens', includeDependenciesRecursively: false }],
        },
      },
    },
    assetsInlineLimit: 0, // the page's policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
    manifest: 'manifest.json', // which file takes which: the sizes are counted by it
    chunkSizeWarningLimit: 400,
  },
  server: {
    fs: { allow: ['..'] }, // the example of strategies/ is the first text of a new one
    proxy: {
      ...Object.fromEntries(routes.map((route) => [`^/${route}(?=[/?]|$)`, { target: server }])),
      '/socket.io': { target: server, ws: true },
    },
  },
  test: { environment: 'happy-dom', include: ['{src,vite}/**/*.test.ts'] },
})
