"""Many events by one call, and where it fails, down to the one event that fails."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence

from ...domain.errors import Unavailable
from ..event_log.records import LogRecord, about
from ..redaction import told
from .replay_range import Stopped

logger = logging.getLogger("orderflow.repair")


async def by_halves(
    records: Sequence[LogRecord],
    do: Callable[[Sequence[LogRecord]], Awaitable[None]],
    stopped: MutableMapping[str, Stopped],
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
    await by_halves(going[:half], do, stopped, failing)
    await by_halves(going[half:], do, stopped, failing)


def _stopped(record: LogRecord, failure: Exception) -> Stopped:
    logger.warning("event failed", extra={**about(record), "error": failure}, exc_info=failure)
    return Stopped(
        order_id=record.order_id, sequence=record.sequence, error=type(failure).__name__, message=told(failure)
    )
