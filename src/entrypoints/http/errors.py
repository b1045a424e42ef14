"""The HTTP status, title, code and Retry-After of each error."""

from collections.abc import Mapping
from http import HTTPStatus

from ...domain.errors import (
    CommandRefused,
    ConfirmationNeeded,
    Conflict,
    CorruptHistory,
    EventTooLarge,
    InvalidInput,
    KeyReused,
    LogBehindTopic,
    LogGap,
    NotConfigured,
    NotFound,
    NotPermitted,
    OrderFlowError,
    PriceListChanged,
    PricesNotPermitted,
    RequestRunning,
    StaleCursor,
    StorageBusy,
    TopicMismatch,
    TransientFailure,
    Unavailable,
    UndecodableEvent,
    VersionMismatch,
)
from .auth import InsufficientScope, Unauthenticated
from .caller_limits import TooManyRequests

STATUS: Mapping[type[Exception], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    ConfirmationNeeded: 402,
    NotPermitted: 403,
    PricesNotPermitted: 403,
    InsufficientScope: 403,
    NotFound: 404,
    CommandRefused: 409,
    Conflict: 409,
    VersionMismatch: 412,
    PriceListChanged: 412,
    EventTooLarge: 413,
    KeyReused: 422,
    TooManyRequests: 429,
    CorruptHistory: 500,
    LogBehindTopic: 500,
    LogGap: 500,
    NotConfigured: 500,
    StaleCursor: 500,
    TopicMismatch: 500,
    TransientFailure: 500,
    UndecodableEvent: 500,
    StorageBusy: 503,
    Unavailable: 503,
}
"""The status of each error. Errors with 500 are not caused by the request; their details are only logged."""

RETRY_AFTER: Mapping[type[OrderFlowError], int] = {RequestRunning: 1, StorageBusy: 1, Unavailable: 5}
"""Seconds after which a retry may succeed."""

_RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""Reason phrases of RFC 9110 that http.HTTPStatus has only since Python 3.13."""

CODES: Mapping[int, str] = {
    400: "invalid_input",
    401: "unauthenticated",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
}
"""The codes of errors of the HTTP layer. All other errors have a code of their own."""


def status_of(error: type[Exception]) -> int:
    """Return the status of the nearest base class of ``error`` that has one, or 500."""
    return next((STATUS[kind] for kind in error.__mro__ if kind in STATUS), 500)


def title_of(status: int) -> str:
    """Return the reason phrase of ``status`` in RFC 9110."""
    return _RENAMED.get(status) or HTTPStatus(status).phrase


def retry_after(error: type[Exception]) -> int | None:
    return next((RETRY_AFTER[kind] for kind in error.__mro__ if kind in RETRY_AFTER), None)
