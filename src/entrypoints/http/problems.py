"""Errors as RFC 9457 problem documents."""

from collections.abc import Mapping
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException

from ...application.redaction import context_of
from ...application.request_context import current_request
from ...domain.errors import CommandRefused, InvalidInput, OrderFlowError, Unavailable
from .auth import Unauthenticated
from .correlation import ERROR
from .errors import CODES, TITLES, retry_after, status_of
from .views import render

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:orderflow:problem:"
_HEADERS = ("If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID")
_UNREAD = (401, 413, 415)
"""Refused before the body was read: the connection ends, or its sender could go on for ever."""
_SHOWN = 300
_HUNG_UP = "client disconnected prematurely"
"""What Litestar raises, as an internal error, when a caller is gone before all of the request has come."""

log = structlog.get_logger(__name__)


def not_the_callers(error: Exception) -> bool:
    """Whether ``error`` is a fault of our own, or of a backend that does not answer."""
    return _status(error) >= 500


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The problem document of ``error``. Of a fault of our own it says no more than the correlation id."""
    status = _status(error)
    headers: dict[str, str] = {}
    document: dict[str, object] = {}
    if status == 500:
        log.error("a request failed", method=request.method, route=_route(request), error=error, exc_info=error)
        detail = f"the log tells more under correlation id {current_request().correlation_id}"
    else:
        detail, headers, document = _told(request, error)
    if status in _UNREAD and request.method != "GET":
        headers["Connection"] = "close"
    code = error.code if isinstance(error, OrderFlowError) else CODES.get(status, f"http_{status}")
    told = {"context": context_of(error)} if isinstance(error, OrderFlowError) else {}
    request.scope[ERROR] = {"code": code, **told}  # type: ignore[literal-required]
    return Response(
        render(
            {
                "type": TYPE + code,
                "title": TITLES.get(status, "The request is refused"),
                "status": status,
                "detail": detail,
                "instance": request.url.path,
                "code": code,
                **document,
            }
        ),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def _route(request: Request[Any, Any, Any]) -> str:
    return str(request.scope.get("path_template", ""))


def _status(error: Exception) -> int:
    if isinstance(error, InternalServerException) and error.detail == _HUNG_UP:
        return 400  # which nobody hears any more
    return error.status_code if isinstance(error, HTTPException) else status_of(type(error))


def _told(request: Request[Any, Any, Any], error: Exception) -> tuple[str, dict[str, str], dict[str, object]]:
    """What a caller may know: the detail, and the members and headers that only this error has."""
    wait = retry_after(type(error))
    headers = {} if wait is None else {"Retry-After": str(wait)}
    match error:
        case InvalidInput():
            fault = _fault(request, error.field, error.problem, error.allowed)
            return _short(f"{error.field or 'the body'}: {error.problem}"), headers, {"errors": [fault]}
        case CommandRefused():
            return str(error), headers, {"action": error.action, **_refusal(error)}
        case Unavailable():
            log.warning("a backend does not answer", error=error)
            return f"{error.backend} does not answer; asking again is safe", headers, {}
        case Unauthenticated():
            return str(error), {"WWW-Authenticate": error.challenge}, {}
        case ValidationException():
            faults = [_unparsed(request, fault) for fault in error.extra or [] if isinstance(fault, Mapping)]
            return "a parameter is not understood", headers, {"errors": faults}
        case HTTPException():
            return _detail(request, error), dict(error.headers or {}), {}
        case _:
            return str(error), headers, {}


def _detail(request: Request[Any, Any, Any], error: HTTPException) -> str:
    match error.status_code:
        case 404:
            return f"there is nothing at {_short(request.url.path)}; /openapi.json lists what there is"
        case 405:
            return f"{request.method} is not offered here; {(error.headers or {}).get('allow', 'other methods')} is"
        case 413:
            return f"a body has at most {request.app.request_max_body_size} bytes"
        case _:
            return error.detail


def _refusal(error: CommandRefused) -> dict[str, object]:
    return {"state": error.state, "allowed": error.allowed, "guard": error.guard, "unlock": error.unlock}


def _fault(request: Request[Any, Any, Any], field: str, problem: str, allowed: str) -> dict[str, str]:
    return {**_place(request, field), "problem": _short(problem), "allowed": _short(allowed)}


def _place(request: Request[Any, Any, Any], field: str) -> dict[str, str]:
    """Where the fault stands: a JSON pointer into the body, or the name of a header or parameter."""
    if field in _HEADERS:
        return {"header": field}
    if request.method == "GET":
        return {"parameter": _short(field)}
    return {"pointer": _short(f"/{field}") if field else ""}


def _unparsed(request: Request[Any, Any, Any], fault: Mapping[str, Any]) -> dict[str, str]:
    field = str(fault.get("key", ""))
    if field == "data":
        return _fault(request, "", "there is no body", "a JSON object")
    return _fault(request, field, str(fault.get("message", "")), "see /openapi.json")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
