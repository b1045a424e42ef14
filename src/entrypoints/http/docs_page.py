"""The interactive API page: Swagger UI from an installed wheel. Nothing is loaded from another host."""

from importlib.util import find_spec
from pathlib import Path

from litestar import MediaType, Response, Router, get
from litestar.response import File

from .routers import OwnRouter

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>orderflow API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<noscript>This page needs JavaScript; the API itself is described in <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

# Authorizations are not persisted, so a token is forgotten when the tab is closed.
START = """"use strict";
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#api", deepLinking: true, tryItOutEnabled: true, defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
"""

_POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _package(name: str) -> Path:
    """Return the folder of an installed package without importing it: ``offapi`` loads all of its pages on import."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return Path(spec.submodule_search_locations[0])


_SWAGGER_UI = _package("offapi")


@get("/docs", media_type=MediaType.HTML)
async def page() -> Response[str]:
    return Response(PAGE, media_type=MediaType.HTML, headers={"Content-Security-Policy": _POLICY})


@get("/docs/start.js", media_type="text/javascript")
async def start() -> str:
    return START


@get("/docs/swagger-ui.js", media_type="text/javascript")
async def script() -> File:
    return File(_SWAGGER_UI / "swagger_bundle.js", content_disposition_type="inline")


@get("/docs/swagger-ui.css", media_type="text/css")
async def style() -> File:
    return File(_SWAGGER_UI / "swagger_style.css", content_disposition_type="inline")


def docs_router() -> Router:
    return OwnRouter(
        "/",
        route_handlers=[page, start, script, style],
        include_in_schema=False,
        response_headers={"Cache-Control": "no-cache"},
    )
