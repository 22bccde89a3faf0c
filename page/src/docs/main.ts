/** /docs: the server's interface, drawn from its own /openapi.json. Reading can be tried out, orders cannot. */
import 'swagger-ui-dist/swagger-ui.css'
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js'

document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches)

SwaggerUI({
  dom_id: '#interface',
  url: 'openapi.json',
  validatorUrl: null,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  supportedSubmitMethods: ['get'],
})
