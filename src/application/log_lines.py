"""Log lines about many things at once: one call of the logger, and one line for each."""

import logging
from collections.abc import Iterable, Mapping

from .request_context import Request

EACH = "each_line"
"""The attribute of a log record that holds the fields of each of its lines."""


def log_each(logger: logging.Logger, level: int, event: str, lines: Iterable[Mapping[str, object]]) -> None:
    """Log a line ``event`` for each of ``lines``, whose values are ids, numbers and constants.

    If ``logger`` is not enabled for ``level``, ``lines`` is not iterated. Log handlers other than orderflow's get one
    line with the number of lines.
    """
    if logger.isEnabledFor(level) and (fields := [{"event": event, **line} for line in lines]):
        logger.log(level, "%d times: %s", len(fields), event, extra={EACH: fields})


def request_fields(request: Request) -> dict[str, object]:
    """Return the fields of a log line that identify ``request``."""
    return {"correlation_id": request.correlation_id, "trace_id": request.trace_id}
