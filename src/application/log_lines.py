"""Log lines about many things at once: one call of the logger, and a line each."""

import logging
from collections.abc import Iterable, Mapping

from .request_context import Request

EACH = "each_line"
"""The attribute of a log record that holds what is said in each of its lines."""


def log_each(logger: logging.Logger, level: int, event: str, lines: Iterable[Mapping[str, object]]) -> None:
    """A line ``event`` with each of these keys and values, which are ids, numbers and words of our own.

    Nothing is made of ``lines`` where ``logger`` does not listen at ``level``. Where somebody else's handlers write
    the log, there is one line that counts them.
    """
    if logger.isEnabledFor(level) and (said := [{"event": event, **line} for line in lines]):
        logger.log(level, "%d times: %s", len(said), event, extra={EACH: said})


def belonging_to(request: Request) -> dict[str, object]:
    """What a line says of the request that it is part of."""
    return {"correlation_id": request.correlation_id, "trace_id": request.trace_id}
