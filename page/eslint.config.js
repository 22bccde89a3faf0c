import prettier from 'eslint-config-prettier'
import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['dist', 'node_modules', 'src/api/types.ts'] },
  ...ts.configs.recommended,
  ...vue.configs['flat/recommended'],
  prettier,
  {
    files: ['src/**/*.{ts,vue}'],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: {
      'vue/no-v-html': 'error',
      'vue/multi-word-component-names': 'off',
      'vue/no-static-inline-styles': ['error', { allowBinding: true }],
      'vue/require-default-prop': 'off',
      'max-lines': ['error', { max: 300 }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  { files: ['src/**/*.vue'], rules: { 'max-lines': ['error', { max: 200 }] } },
  { files: ['src/i18n/**', 'src/**/*.test.ts'], rules: { 'max-lines': 'off' } },
)
