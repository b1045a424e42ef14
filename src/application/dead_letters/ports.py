"""TODO."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ..consuming.dead_letter import DeadLetter, DeadLetterAction, SetAsideRecord


class DeadLetters(Protocol):
    """Looking at what was set aside."""

    async def blocking(self, consumer: str | None = None, *, error: str | None = None) -> Sequence[DeadLetter]:
        """The first letter of every parked order, of one consumer or all; with ``error``, those of that class."""
        ...

    async def of_order(self, consumer: str, order_id: str) -> Sequence[DeadLetter]:
        """All letters of an order, by sequence."""
        ...

    async def waiting(self, consumer: str) -> Mapping[str, int]:
        """How many letters each parked order of ``consumer`` has, by order."""
        ...

    async def history(
        self, *, limit: int, consumer: str | None = None, order_id: str | None = None
    ) -> Sequence[DeadLetterAction]:
        """What was done about letters, of one consumer or order or all, the latest first."""
        ...

    async def claim_copies(self, *, now: datetime, until: datetime, limit: int) -> Sequence[DeadLetter]:
        """Letters to be copied that are due by ``now``, each order's in sequence.

        Nobody else gets them before ``until``.
        """
        ...

    async def copied(self, letters: Sequence[DeadLetter]) -> None:
        """These are to be copied no more."""
        ...

    async def dropped(self, consumer: str) -> Mapping[str, Collection[int]]:
        """The sequences of the events that were given up for ``consumer``, by order."""
        ...

    async def parked(self) -> Mapping[str, int]:
        """How many orders each consumer has parked; one that has none is not named."""
        ...

    async def latest(self, limit: int) -> Sequence[DeadLetter]:
        """The letters of events that failed, not of those that wait behind them, the last failure first."""
        ...

    async def letters(self) -> Mapping[str, int]:
        """How many letters each consumer has; one that has none is not named."""
        ...

    async def unrecognized_records(self) -> Mapping[str, int]:
        """How many records each consumer has found that are none of ours; one that found none is not named."""
        ...

    async def foreign(self, consumer: str | None = None, *, limit: int = 100) -> Sequence[SetAsideRecord]:
        """Records that are none of ours, by their place on the topic."""
        ...
