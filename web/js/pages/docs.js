"use strict"

/**
 * The API, browsable: Swagger UI over our own OpenAPI description. Nothing is loaded from elsewhere, and no outside validator is asked.
 */
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger",
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
})
