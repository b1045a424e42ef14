"""The ports of the relay: the topic as a relay writes it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..event_log.records import LogRecord
from ..noop import noop
from ..recovery.epochs import BEGINNING, Epochs

OnFlushed = Callable[[], object]
"""Called, from any thread, when a batch was sent and only the topic's servers are waited for."""


class RelayTopic(Protocol):
    """Writes events and cursors to the topic, in one transaction."""

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        """Return the buckets assigned to this relay, each with its effective committed position, None without one.

        Empty while nothing is assigned. What is published next belongs to the latest of ``epochs``. Raises
        StreamUnavailable; LogBehindTopic if a position was committed in a later epoch.
        """
        ...

    async def checksums(self) -> Mapping[int, int]:
        """Return by bucket the checksum of the event at the cursor that was last read, if one was committed with it."""
        ...

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        """Publish ``records`` exactly once and in order, and move the cursors to their positions.

        Raises StreamUnavailable: the relay then must assume that nothing was published, and read ``cursors`` again.
        """
        ...

    async def close(self) -> None: ...
