"""TODO."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from ..event_log.records import LogRecord, Origin, UnrecognizedRecord
from .dead_letter import DeadLetter, DeadLetterAction, SetAsideRecord


class EventSource(Protocol):
    """Where a consumer's records come from: the topic, or the log itself."""

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        """The next records, each bucket's in order; empty when there is no news after a short wait."""
        ...

    async def done(self) -> None:
        """All that was read is handled and committed."""
        ...

    async def rewind(self) -> None:
        """Read again from the committed cursors: what was read was not handled, or something is missing."""
        ...

    def origin(self, record: LogRecord) -> Origin | None:
        """Where ``record``, one of those that were read last, stands on a topic; None where it came of none."""
        ...

    async def pause(self) -> None:
        """Take nothing, and keep the place among other readers; to be called again and again while that lasts.

        The next ``read`` goes on where the last one ended. Raises StreamUnavailable.
        """
        ...

    async def close(self) -> None: ...


class DeadLetterStore(Protocol):
    """The dead letters of the consumer whose transaction this is. An order is parked while it has any."""

    async def parked(self, order_ids: Collection[str]) -> Collection[str]:
        """Those of these orders that are parked; none of them is unparked until this transaction ends."""
        ...

    async def first(self, order_id: str) -> DeadLetter | None:
        """The first letter of an order, by sequence; nobody else adds or removes one until this transaction ends."""
        ...

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Keep these, each in place of the one with its order and sequence; their orders are parked."""
        ...

    async def remove(self, letter: DeadLetter) -> bool:
        """Its event is handled, or given up. Whether that was the order's last letter: then it is parked no more."""
        ...

    async def copy_later(self, letters: Sequence[DeadLetter], at: datetime) -> None:
        """Have these copied to the topic for dead letters, from ``at`` on; not those that are removed before."""
        ...

    async def note(self, change: DeadLetterAction) -> None:
        """Keep who did this, and why, for good."""
        ...

    async def set_aside(self, letters: Sequence[SetAsideRecord]) -> None:
        """Keep these; one that is there already (by topic, partition and offset) stays as it is."""
        ...
