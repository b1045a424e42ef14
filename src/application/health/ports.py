"""TODO."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ..event_log.records import LogRecord, RecordLocation

if TYPE_CHECKING:
    pass


class RecordLocator(Protocol):
    async def find(self, records: Sequence[LogRecord], since: Sequence[datetime]) -> Mapping[str, RecordLocation]:
        """Where these events of one order stand on the topic, by event id; one that is not there is left out.

        ``since`` is for each the time before which it did not stand there. Raises StreamUnavailable.
        """
        ...
