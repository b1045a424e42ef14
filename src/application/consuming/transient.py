"""Which failures pass by themselves, so that the same is worth another try in a moment."""

from ...domain.errors import ConcurrentChange, RequestRunning, TransientFailure, Unavailable, UndecodableEvent

_PASSING = (TransientFailure, Unavailable, ConcurrentChange, RequestRunning, ConnectionError, TimeoutError)


def may_pass(failure: BaseException) -> bool:
    """Whether ``failure``, or what it was raised from, may not be there the next time.

    So are ours that say it, a race that was lost, and Python's own timeouts and broken connections, from which the
    errors of most clients are raised; of several at once all have to be. Bytes that say nothing never pass.
    """
    cause: BaseException | None = failure
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, UndecodableEvent):
            return False
        if isinstance(cause, _PASSING):
            return True
        if isinstance(cause, BaseExceptionGroup):
            return all(may_pass(each) for each in cause.exceptions)
        seen.add(id(cause))
        cause = cause.__cause__
    return False
