"""Many events by one call, and where it fails, down to the one event that fails."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence

from ...domain.errors import Unavailable
from ..event_log.records import LogRecord, about
from ..redaction import error_text
from .replay_range import StoppedOrder

logger = logging.getLogger("orderflow.repair")


async def bisect_batch(
    records: Sequence[LogRecord],
    do: Callable[[Sequence[LogRecord]], Awaitable[None]],
    stopped: MutableMapping[str, StoppedOrder],
    failing: type[Exception] = Exception,
) -> None:
    """``do`` for all ``records`` but those of orders that ``stopped``; an order stops at its first event that fails.

    ``do`` does all that it is given or nothing. Raises Unavailable, and whatever is not ``failing``.
    """
    going = [record for record in records if record.order_id not in stopped]
    if not going:
        return
    try:
        await do(going)
    except Unavailable:
        raise
    except failing as failure:
        if len(going) == 1:
            stopped[going[0].order_id] = _stopped(going[0], failure)
            return
    else:
        return
    half = len(going) // 2
    await bisect_batch(going[:half], do, stopped, failing)
    await bisect_batch(going[half:], do, stopped, failing)


def _stopped(record: LogRecord, failure: Exception) -> StoppedOrder:
    logger.warning("event failed", extra={**about(record), "error": failure}, exc_info=failure)
    return StoppedOrder(
        order_id=record.order_id, sequence=record.sequence, error=type(failure).__name__, message=error_text(failure)
    )
