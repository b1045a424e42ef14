"""The ports of consumers: the source of their records, and the dead letters of a transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from ..event_log.records import LogRecord, Origin, UnrecognizedRecord
from .dead_letter import DeadLetter, DeadLetterAction, SetAsideRecord


class EventSource(Protocol):
    """The source of a consumer's records: the topic, or the log itself."""

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        """Return the next records, each bucket's in order; nothing if there are none after a short wait."""
        ...

    async def done(self) -> None:
        """Confirm that everything that was read is handled and committed."""
        ...

    async def rewind(self) -> None:
        """Read again from the committed cursors, because records were not handled, or events are missing."""
        ...

    def origin(self, record: LogRecord) -> Origin | None:
        """Return the place on the topic of ``record``, which was read last; None if it was read from the log."""
        ...

    async def pause(self) -> None:
        """Read nothing, but stay in the consumer group; call it repeatedly while the consumer is paused.

        The next ``read`` continues after the last one. Raises StreamUnavailable.
        """
        ...

    async def close(self) -> None: ...


class DeadLetterStore(Protocol):
    """The dead letters of the consumer whose transaction this is. An order is parked while it has any."""

    async def parked(self, order_ids: Collection[str]) -> Collection[str]:
        """Return those of these orders that are parked; none of them is unparked until this transaction ends."""
        ...

    async def first(self, order_id: str) -> DeadLetter | None:
        """Return the order's first dead letter, by sequence, and lock the order's until this transaction ends."""
        ...

    async def keep(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Store these, replacing those with the same order and sequence. Their orders are parked."""
        ...

    async def remove(self, dead_letter: DeadLetter) -> bool:
        """Delete it, as its event is handled or dropped. Return whether that unparks its order, being the last."""
        ...

    async def copy_later(self, dead_letters: Sequence[DeadLetter], at: datetime) -> None:
        """Schedule copies to the topic for dead letters, due at ``at``; one that is removed before is not copied."""
        ...

    async def note(self, action: DeadLetterAction) -> None:
        """Store an operator's action, which is never deleted."""
        ...

    async def set_aside(self, records: Sequence[SetAsideRecord]) -> None:
        """Count these, and store the consumer's first MAX_SET_ASIDE.

        A record is counted once however often it is read: the offsets of each partition are given in ascending order.
        """
        ...
