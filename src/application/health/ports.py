"""The port of tracing an order: finding its records on the topic."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ..event_log.records import LogRecord, RecordLocation


class RecordLocator(Protocol):
    """Finds records on the topic."""

    async def find(self, records: Sequence[LogRecord], since: Sequence[datetime]) -> Mapping[str, RecordLocation]:
        """Return the records of these events of one order, by event id; events that are not on the topic are left out.

        ``since`` is for each event a time before its record was written. Raises StreamUnavailable.
        """
        ...
