"""Guards that refuse a request of which a part would be ignored: its conditions, its key, or the form of its body."""

import re
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from ...domain.errors import InvalidInput

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
