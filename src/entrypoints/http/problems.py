"""Errors as RFC 9457 problem documents."""

import logging
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException

from ...application.prices.change_prices import InvalidPrices
from ...application.redaction import context_of
from ...application.request_context import current_request
from ...domain.errors import (
    CommandRefused,
    ConfirmationNeeded,
    InvalidInput,
    OrderFlowError,
    PricesRefused,
    Unavailable,
)
from .auth import InsufficientScope, Unauthenticated
from .caller_limits import TooManyRequests
from .correlation import ERROR, allowed_methods
from .errors import CODES, retry_after, status_of, title_of
from .views import render

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:orderflow:problem:"
_HEADERS = (
    "Authorization",
    "X-Actor",
    "Content-Type",
    "Content-Encoding",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "Last-Event-ID",
    "Stripe-Signature",
)
_SHOWN = 300
_LISTED = 100
"""Errors of one body that are listed."""
_DISCONNECTED = "client disconnected prematurely"
"""The detail of Litestar's internal error if the client disconnects before the request is complete."""

logger = logging.getLogger("orderflow.http")


class InvalidParameter(InvalidInput):
    """A query parameter that is not allowed, of any method."""


def is_server_error(error: Exception) -> bool:
    """Return whether ``error`` has a status of 500 or above."""
    return _status(error) >= 500


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the response to ``error``: its problem document, and its headers."""
    status, headers, document = problem_of(request, error)
    context = {"context": context_of(error)} if isinstance(error, OrderFlowError) else {}
    request.scope[ERROR] = {"code": document["code"], **context}  # type: ignore[literal-required]
    return Response(render(document), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def problem_of(request: Request[Any, Any, Any], error: Exception) -> tuple[int, dict[str, str], dict[str, object]]:
    """Return the status, the headers and the problem document of ``error``.

    With status 500 the document contains only the correlation id, and the error is logged, as often as LogLimit admits.
    """
    status = _status(error)
    headers: dict[str, str] = {}
    document: dict[str, object] = {}
    if status == 500:
        if request.app.log_limit.admits("a request failed"):  # type: ignore[attr-defined]
            extra = {"method": request.method, "route": _route(request), "error": error}
            logger.error("a request failed", extra=extra, exc_info=error)
        detail = f"see the log for correlation id {current_request().correlation_id}"
    else:
        detail, headers, document = _details(request, error)
    code = error.code if isinstance(error, OrderFlowError | InsufficientScope) else CODES.get(status, f"http_{status}")
    return (
        status,
        headers,
        {
            "type": TYPE + code,
            "title": title_of(status),
            "status": status,
            "detail": detail,
            "instance": _truncated(path_of(request)),
            "code": code,
            **document,
        },
    )


def path_of(request: Request[Any, Any, Any]) -> str:
    """Return the path as it was sent, with the slashes that Litestar's own has no more.

    The URL of a request also needs a valid Host, which a caller may not send.
    """
    scope = request.scope
    return scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]


def _route(request: Request[Any, Any, Any]) -> str:
    return str(request.scope.get("path_template", ""))


def _status(error: Exception) -> int:
    if isinstance(error, InternalServerException) and error.detail == _DISCONNECTED:
        return 400  # the client does not receive it any more
    return error.status_code if isinstance(error, HTTPException) else status_of(type(error))


def _details(request: Request[Any, Any, Any], error: Exception) -> tuple[str, dict[str, str], dict[str, object]]:
    """Return the detail of ``error``, its headers, and the members that only this kind of error has."""
    wait = retry_after(type(error))
    headers = {} if wait is None else {"Retry-After": str(wait)}
    match error:
        case InvalidPrices():
            items = [
                _error(request, f"{place}/{it.field}" if it.field else place, it.problem, it.allowed)
                for place, it in error.refused[:_LISTED]
            ]
            return _truncated(f"{error.field}: {error.problem}; nothing was stored"), headers, {"errors": items}
        case PricesRefused():
            return _truncated(str(error)), headers, {"lines": list(error.lines)}
        case InvalidInput():
            item = _error(request, error.field, error.problem, error.allowed)
            if isinstance(error, InvalidParameter):
                item = {"parameter": _truncated(error.field), "problem": error.problem, "allowed": error.allowed}
            subject = error.field or ("the body" if "pointer" in item else "the query")
            return _truncated(f"{subject}: {error.problem}"), headers, {"errors": [item]}
        case CommandRefused():
            refusal: dict[str, object] = {"action": error.action, "state": error.state, "allowed": error.allowed}
            return str(error), headers, refusal | {"guard": error.guard, "unlock": error.unlock}
        case ConfirmationNeeded():
            return str(error), headers, {"clientSecret": error.client_secret, "confirmationUrl": error.url}
        case Unavailable():
            if request.app.log_limit.admits("a backend is unavailable"):  # type: ignore[attr-defined]
                logger.warning("a backend is unavailable", extra={"error": error})
            return f"{error.backend} is unavailable; it is safe to retry the request", headers, {}
        case Unauthenticated() | InsufficientScope():
            return str(error), {"WWW-Authenticate": error.challenge}, {}
        case TooManyRequests():
            return str(error), {"Retry-After": str(error.retry_after)}, {}
        case ValidationException():
            items = [_validation_error(request, item) for item in error.extra or [] if isinstance(item, Mapping)]
            return "a parameter is invalid", headers, {"errors": items}
        case HTTPException():
            return _truncated(_detail(request, error)), dict(error.headers or {}), {}
        case _:
            return str(error), headers, {}


def _detail(request: Request[Any, Any, Any], error: HTTPException) -> str:
    match error.status_code:
        case 404:
            return f"there is no resource {_truncated(path_of(request))}; see /openapi.json"
        case 405:
            return f"{request.method} is not allowed; allowed methods: {allowed_methods(error.headers)}"
        case 413:
            return f"a body may have at most {request.route_handler.resolve_request_max_body_size()} bytes"
        case _:
            return error.detail


def _error(request: Request[Any, Any, Any], field: str, problem: str, allowed: str) -> dict[str, str]:
    return {**_location(request, field), "problem": _truncated(problem), "allowed": _truncated(allowed)}


def _location(request: Request[Any, Any, Any], field: str) -> dict[str, str]:
    """Return the location of an error: a JSON pointer into the body, or the name of a header or parameter."""
    if field in _HEADERS:
        return {"header": field}
    if request.method == "GET":
        return {"parameter": _truncated(field)}
    return {"pointer": _truncated(f"/{field}") if field else ""}


def _validation_error(request: Request[Any, Any, Any], item: Mapping[str, Any]) -> dict[str, str]:
    field = str(item.get("key", ""))
    if field == "data":
        return _error(request, "", "there is no body", "a JSON object")
    return _error(request, field, str(item.get("message", "")), "see /openapi.json")


def _truncated(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
