"""Transient errors, after which the same attempt may succeed a moment later."""

from ...domain.errors import ConcurrentChange, RequestRunning, TransientFailure, Unavailable, UndecodableEvent

_TRANSIENT = (TransientFailure, Unavailable, ConcurrentChange, RequestRunning, ConnectionError, TimeoutError)


def is_transient(error: BaseException) -> bool:
    """Return whether ``error``, or an error that it was raised from, may not occur the next time.

    Transient are orderflow's own transient errors, a write conflict, and Python's timeouts and broken connections, from
    which the errors of most clients are raised; of an exception group, all errors must be. Undecodable bytes never are.
    """
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, UndecodableEvent):
            return False
        if isinstance(cause, _TRANSIENT):
            return True
        if isinstance(cause, BaseExceptionGroup):
            return all(is_transient(each) for each in cause.exceptions)
        seen.add(id(cause))
        cause = cause.__cause__
    return False
