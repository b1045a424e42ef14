"""TODO."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..event_log.records import LogRecord
from ..noop import noop
from ..recovery.epochs import BEGINNING, Epochs

OnFlushed = Callable[[], object]


class RelayTopic(Protocol):
    """The topic as a relay writes it: events and cursors move together or not at all."""

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        """The buckets that are this relay's now, with what counts of the committed position; None where there is none.

        What is published next is of the epoch that is now. Empty while nothing is assigned. Raises StreamUnavailable;
        LogBehindTopic where something was committed in a later epoch.
        """
        ...

    async def marks(self) -> Mapping[int, int]:
        """By bucket the mark of the event at the cursor that was told last, where it was committed with it."""
        ...

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        """``records`` stand on the topic exactly once, in order, and the cursors have moved to their positions.

        ``on_flushed`` is called, from any thread, when what is left is to wait for the topic's servers.
        Raises StreamUnavailable: then nothing was published as far as this relay may assume, and ``cursors`` tells
        what is true.
        """
        ...

    async def close(self) -> None: ...
