"""The one table from error to HTTP status, and what else an error's answer needs."""

from collections.abc import Mapping

from ...domain.errors import (
    CommandRefused,
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
    RequestRunning,
    StaleCursor,
    TopicMismatch,
    TransientFailure,
    Unavailable,
    UndecodableEvent,
    VersionMismatch,
)
from .auth import Unauthenticated

STATUS: Mapping[type[Exception], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    NotPermitted: 403,
    NotFound: 404,
    CommandRefused: 409,
    Conflict: 409,
    VersionMismatch: 412,
    EventTooLarge: 413,
    KeyReused: 422,
    CorruptHistory: 500,
    LogBehindTopic: 500,
    LogGap: 500,
    NotConfigured: 500,
    StaleCursor: 500,
    TopicMismatch: 500,
    TransientFailure: 500,
    UndecodableEvent: 500,
    Unavailable: 503,
}
"""Those at 500 are faults of this installation, not of the request; their details go to the log alone."""

RETRY_AFTER: Mapping[type[OrderFlowError], int] = {RequestRunning: 1, Unavailable: 5}
"""Seconds after which asking again makes sense."""

TITLES: Mapping[int, str] = {
    400: "The request is not understood",
    401: "Who calls is not known",
    403: "This caller may not do that",
    404: "There is no such thing",
    405: "This method is not offered here",
    409: "The order as it is now does not allow that",
    412: "The order has another version",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The idempotency key was used for another request",
    500: "Something went wrong here",
    503: "A backend does not answer",
}

CODES: Mapping[int, str] = {
    400: "invalid_input",
    401: "unauthenticated",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
}
"""The codes of what HTTP itself refuses; all others are the errors' own."""


def status_of(error: type[Exception]) -> int:
    """The status of the nearest class of ``error`` that has one; 500 for what nobody foresaw."""
    return next((STATUS[kind] for kind in error.__mro__ if kind in STATUS), 500)


def retry_after(error: type[Exception]) -> int | None:
    return next((RETRY_AFTER[kind] for kind in error.__mro__ if kind in RETRY_AFTER), None)
