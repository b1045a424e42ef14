"""A page to read and try the API: Swagger UI, served from the package that ships it. Nothing comes from elsewhere."""

from litestar import MediaType, Response, Router, get
from litestar.static_files import create_static_files_router
from swagger_ui_bundle import swagger_ui_path

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>orderflow API</title>
<link rel="icon" type="image/png" href="docs/ui/favicon-32x32.png">
<link rel="stylesheet" href="docs/ui/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<noscript>This page needs JavaScript; the API itself is described in <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/ui/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

# The Swagger UI that is packaged reads OpenAPI 3.0: what 3.1 writes differently is put in its words first.
START = """"use strict";
function older(schema) {
  if (Array.isArray(schema)) return schema.map(older);
  if (schema === null || typeof schema !== "object") return schema;
  const found = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, older(value)]));
  for (const either of ["oneOf", "anyOf"]) {
    const choices = found[either];
    if (!Array.isArray(choices) || !choices.some((one) => one.type === "null")) continue;
    const others = choices.filter((one) => one.type !== "null");
    delete found[either];
    if (found.default === null) delete found.default;
    if (others.length > 1) found[either] = others;
    else if (others[0].$ref) found.allOf = others;
    else Object.assign(found, {...others[0], ...found});
    found.nullable = true;
  }
  if (Array.isArray(found.examples) && found.example === undefined) {
    found.example = found.examples[0];
    delete found.examples;
  }
  return found;
}
fetch("openapi.json").then((answer) => answer.json()).then((api) => {
  const shown = {...api, paths: older(api.paths), components: older(api.components), openapi: "3.0.3"};
  window.ui = SwaggerUIBundle({
    spec: shown, dom_id: "#api", deepLinking: true, tryItOutEnabled: true, persistAuthorization: true,
    defaultModelsExpandDepth: 0, validatorUrl: null,
  });
});
"""

_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


@get("/docs", include_in_schema=False, media_type=MediaType.HTML)
async def page() -> Response[str]:
    return Response(PAGE, media_type=MediaType.HTML, headers={"Content-Security-Policy": _POLICY})


@get("/docs/start.js", include_in_schema=False, media_type="text/javascript")
async def start() -> Response[str]:
    return Response(START, media_type="text/javascript")


def docs_router() -> Router:
    files = create_static_files_router("/docs/ui", directories=[swagger_ui_path], include_in_schema=False)
    return Router("/", route_handlers=[page, start, files])
