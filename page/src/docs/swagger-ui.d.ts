declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  /** Draws the description at `url` into the element; https://swagger.io/docs/open-source-tools/swagger-ui. */
  export default function SwaggerUI(options: {
    dom_id: string
    url: string
    validatorUrl: null
    docExpansion: 'list' | 'full' | 'none'
    defaultModelsExpandDepth: number
    supportedSubmitMethods: string[]
  }): unknown
}
