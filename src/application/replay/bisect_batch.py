"""Bisection of a failing batch down to the events that fail."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence

from ...domain.errors import Unavailable
from ..event_log.records import LogRecord, event_fields
from ..redaction import error_text
from .replay_range import StoppedOrder

logger = logging.getLogger("orderflow.repair")


async def bisect_batch(
    records: Sequence[LogRecord],
    do: Callable[[Sequence[LogRecord]], Awaitable[None]],
    stopped: MutableMapping[str, StoppedOrder],
    failing: type[Exception] = Exception,
) -> None:
    """Call ``do`` with ``records``, and with halves of them if it fails, down to single events.

    An order stops at its first event that fails; its later events are left out. ``do`` must be atomic. Raises
    Unavailable, and exceptions that are not ``failing``.
    """
    remaining = [record for record in records if record.order_id not in stopped]
    if not remaining:
        return
    try:
        await do(remaining)
    except Unavailable:
        raise
    except failing as failure:
        if len(remaining) == 1:
            stopped[remaining[0].order_id] = _stop(remaining[0], failure)
            return
    else:
        return
    half = len(remaining) // 2
    await bisect_batch(remaining[:half], do, stopped, failing)
    await bisect_batch(remaining[half:], do, stopped, failing)


def _stop(record: LogRecord, failure: Exception) -> StoppedOrder:
    logger.warning("event failed", extra={**event_fields(record), "error": failure}, exc_info=failure)
    return StoppedOrder(
        order_id=record.order_id, sequence=record.sequence, error=type(failure).__name__, message=error_text(failure)
    )
