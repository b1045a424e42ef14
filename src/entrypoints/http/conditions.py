"""Guards that refuse a request of which a part would be ignored, such as a parameter, a condition or its key."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.typing import FieldDefinition

from ...domain.errors import InvalidInput
from .problems import InvalidParameter

SINGLE_HEADERS = (
    "Authorization",
    "X-Actor",
    "Content-Type",
    "Content-Encoding",
    "Idempotency-Key",
    "If-Match",
    "Last-Event-ID",
)
QUERY = "query"
"""The option of a route with its query parameters, and whether each may be repeated."""
_CHARSET = re.compile(r"charset=\"?([^\";, ]*)")


async def require_json(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a body that is not declared as JSON, or as another type that the route takes, or is compressed."""
    headers = connection.headers
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise HTTPException(
            detail=f"the content encoding must be identity, not {encoding[:80]}",
            status_code=415,
            headers={"Accept-Encoding": "identity"},
        )
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    declared = headers.get("content-type", "").lower()
    media_type = declared.partition(";")[0].strip()
    types = handler.opt.get("media_types", ("application/json",))
    if connection.scope["method"] != "GET" and has_body and media_type not in types:  # type: ignore[typeddict-item]
        raise HTTPException(
            detail=f"the content type must be {' or '.join(types)}, not {media_type[:80] or 'empty'}", status_code=415
        )
    if (charset := _CHARSET.search(declared[:200])) and charset[1] not in ("utf-8", "utf8"):
        raise HTTPException(detail=f"the charset must be utf-8, not {charset[1][:80]}", status_code=415)
    if "content-length" in headers and "transfer-encoding" in headers:  # a proxy may have used the other one
        raise HTTPException(detail="a body has Content-Length or Transfer-Encoding, not both", status_code=400)


async def refuse_unsupported_conditions(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse a condition that the route does not compare: the request would be carried out without it."""
    method = connection.scope["method"]  # type: ignore[typeddict-item]
    changes = ("If-None-Match", "If-Match") if handler.opt.get("creates") else ("If-None-Match",)
    for name in {"GET": ("If-Match",), "OPTIONS": ()}.get(method, changes):
        if name in connection.headers:
            raise InvalidInput(name, "this route does not compare it", "a request without it")


async def refuse_idempotency_key(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse the header where responses are not stored: a repetition would be carried out again."""
    if "idempotency-key" in connection.headers:
        raise InvalidInput("Idempotency-Key", "this route does not compare it", "a request without it")


async def refuse_unknown_parameters(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse query parameters that the route does not have or that are repeated, of which some would be ignored."""
    parameters: Mapping[str, bool] = handler.opt.get(QUERY, {})
    for name, values in connection.query_params.dict().items():
        if name not in parameters:
            raise InvalidParameter(name, "there is no such parameter", ", ".join(sorted(parameters)) or "none")
        if len(values) > 1 and not parameters[name]:
            raise InvalidParameter(name, f"it is given {len(values)} times", "each parameter once")


def refuse_repeated_headers(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse a header that has one value but is repeated: a proxy may have read another one of them."""
    for name in SINGLE_HEADERS:
        if len(values := connection.headers.getall(name, [])) > 1:
            raise InvalidInput(name, f"it is given {len(values)} times", "each header once")


async def refuse_other_spellings(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse a path with a doubled or trailing slash, which Litestar ignores: a proxy's rule for the path would not."""
    scope = connection.scope
    path = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
    path = path.removeprefix(scope.get("root_path", "").encode())
    if b"//" in path or (path.endswith(b"/") and path != b"/"):
        raise NotFoundException


def note_query_parameters(app: Litestar) -> None:
    """Note the query parameters of each route among its options, for ``refuse_unknown_parameters``."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            handler.opt[QUERY] = dict(_query_parameters(handler, handler.parsed_fn_signature.parameters))


def _query_parameters(
    handler: BaseRouteHandler, fields: Mapping[str, FieldDefinition]
) -> Iterator[tuple[str | None, bool]]:
    """Find the query parameters of ``handler`` and of what it depends on, and whether each may be repeated."""
    providers = handler.resolve_dependencies()
    for name, field in fields.items():
        if name in providers:
            yield from _query_parameters(handler, providers[name].parsed_fn_signature.parameters)
        elif isinstance(field.kwarg_definition, QueryParameter):
            yield field.kwarg_definition.name, field.is_non_string_sequence
