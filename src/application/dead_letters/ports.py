"""The ports of dead letters: reading them and their copies, and the topic for the copies."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from ..consuming.dead_letter import DeadLetter, DeadLetterAction, SetAsideRecord


@frozen(kw_only=True)
class ParkedGroup:
    """The ``orders`` that one consumer has parked with one class of ``error``, the last at ``last_failed_at``."""

    consumer: str
    error: str
    orders: int
    last_failed_at: datetime


class DeadLetters(Protocol):
    """Reads the dead letters of all consumers, and the unrecognized records."""

    async def blocking(
        self, consumer: str | None = None, *, error: str | None = None, limit: int | None = None
    ) -> Sequence[DeadLetter]:
        """Return the first dead letter of every parked order, of one consumer or all, of one class of error or all.

        With ``limit``, return at most so many: those of the orders with the lowest ids.
        """
        ...

    async def groups(self) -> Sequence[ParkedGroup]:
        """Return the parked orders by consumer and error of the first dead letter, the largest group first."""
        ...

    async def of_order(self, consumer: str, order_id: str) -> Sequence[DeadLetter]:
        """Return all dead letters of an order, by sequence."""
        ...

    async def waiting(self, consumer: str, order_ids: Collection[str]) -> Mapping[str, int]:
        """Return the number of dead letters of each of these orders that ``consumer`` has parked, by order."""
        ...

    async def history(
        self, *, limit: int, consumer: str | None = None, order_id: str | None = None
    ) -> Sequence[DeadLetterAction]:
        """Return the actions on dead letters, of one consumer or order or all, the latest first."""
        ...

    async def claim_copies(self, *, now: datetime, until: datetime, limit: int) -> Sequence[DeadLetter]:
        """Return dead letters whose copy is due by ``now``, each order's in sequence.

        No other process gets them before ``until``. One that is due after more than twice that time was stored by a
        wrong clock, and is returned, too.
        """
        ...

    async def copied(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Mark these as copied."""
        ...

    async def dropped(self, consumer: str) -> Mapping[str, Collection[int]]:
        """Return the sequences of the events that were dropped for ``consumer``, by order."""
        ...

    async def parked(self) -> Mapping[str, int]:
        """Return the number of parked orders by consumer; consumers without any are left out."""
        ...

    async def latest(self, limit: int) -> Sequence[DeadLetter]:
        """Return dead letters of events that failed, not of those queued behind them, the last failure first."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """Return the number of dead letters by consumer; consumers without any are left out."""
        ...

    async def unrecognized_counts(self) -> Mapping[str, int]:
        """Return the number of unrecognized records by consumer; consumers without any are left out."""
        ...

    async def unrecognized_records(self, consumer: str | None = None, *, limit: int = 100) -> Sequence[SetAsideRecord]:
        """Return stored unrecognized records, of each consumer at most MAX_SET_ASIDE, by partition and offset."""
        ...


class DeadLetterTopic(Protocol):
    """Writes dead letters to a topic: each event unchanged, its origin, consumer and error in the headers."""

    async def put(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Write all of these. Raises StreamUnavailable, after which some of them may have been written."""
        ...

    async def close(self) -> None: ...
