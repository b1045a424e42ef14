"""What travels with a command from the door to the log: where it came from, and its idempotency key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from attrs import field, frozen

from ..domain.order import Order


@frozen(kw_only=True)
class IdempotencyKey:
    """``key`` is the caller's own; ``fingerprint`` is a digest of the request; ``answer`` renders the first answer."""

    caller: str
    key: str
    fingerprint: str
    asked_at: datetime = field(eq=False)
    answer: Callable[[Order], bytes] = field(repr=False, eq=False)


@frozen(kw_only=True)
class Request:
    """``correlation_id`` joins everything that one command causes; ``traceparent`` is W3C Trace Context."""

    correlation_id: str = ""
    traceparent: str = ""
    idempotency: IdempotencyKey | None = None


_request: ContextVar[Request] = ContextVar("orderflow_request")


def current_request() -> Request:
    """The request that is being answered here, or an empty one."""
    return _request.get(Request())


@contextmanager
def answering(request: Request) -> Iterator[Request]:
    """Everything awaited inside belongs to ``request``."""
    token = _request.set(request)
    try:
        yield request
    finally:
        _request.reset(token)
