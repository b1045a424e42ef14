"""Consumers of the event log, and the transaction that their effects and cursors share."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar, runtime_checkable

from attrs import frozen

from ...domain.errors import LogGap
from ..event_log.records import Delivery, LogRecord, Positions
from .ports import DeadLetterStore


class ConsumerTransaction(Protocol):
    """One transaction of a consumer: effects and cursors commit together, or not at all.

    Each consumer declares the transaction that it needs as a Protocol of its own: this one, with the consumer's store.
    """

    @property
    def dead_letters(self) -> DeadLetterStore: ...

    async def hold(self, buckets: Collection[int]) -> Positions:
        """Return this consumer's cursors of ``buckets``, and lock them until this transaction ends."""
        ...

    async def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        """Move this consumer's cursor of each bucket from the first position to the second.

        Raises StaleCursor if a cursor is not at the first position; then nothing of this transaction is kept.
        """
        ...


T = TypeVar("T", bound=ConsumerTransaction)
"""The transaction that a consumer needs."""
T_co = TypeVar("T_co", bound=ConsumerTransaction, covariant=True)
T_contra = TypeVar("T_contra", bound=ConsumerTransaction, contravariant=True)


class ConsumerStore(Protocol[T_co]):
    """Opens the transactions of consumers."""

    def __call__(self, consumer: str) -> AbstractAsyncContextManager[T_co]:
        """Open a transaction of ``consumer``; it commits at its end. Raises StaleCursor, StorageUnavailable."""
        ...


class SettlingConsumer(Protocol):
    """The part of a consumer that is independent of its transactions."""

    @property
    def name(self) -> str:
        """The consumer's reader name in the cursors, and its Kafka group."""
        ...

    async def settle(self) -> int:
        """Do what earlier effects requested outside the transaction (send, cancel); return how much was done.

        Called after every batch and, when idle, once a second; each piece of work is idempotent and noted when done.
        """
        ...


class Consumer(SettlingConsumer, Protocol[T_contra]):
    """Applies the effects of events, in transactions that have what it needs."""

    async def handle(self, deliveries: Sequence[Delivery], work: T_contra) -> object:
        """Apply the effects of ``deliveries`` within ``work``, all or none; each order's events come in sequence.

        What it returns is handed to the observer once ``work`` is committed, and dropped if it is rolled back.
        """
        ...


@runtime_checkable
class OutsideConsumer(Protocol):
    """A consumer that also does something outside of every transaction: it may take long, and write to the storage.

    Each event is performed at least once, before ``handle`` notes that.
    """

    async def perform(self, deliveries: Sequence[Delivery]) -> None:
        """Do it for ``deliveries``; no earlier event of their orders is parked. Each order's come in sequence."""
        ...


class HandlingObserver(Protocol):
    """Counts or traces what a consumer has done."""

    def __call__(
        self, records: Sequence[LogRecord], *, seconds: float, failure: str = "", result: object = None
    ) -> None:
        """Note that ``records`` were handled and committed together in ``seconds``, with what ``handle`` returned.

        Or, with ``failure``, that they failed with an error of this code.
        """
        ...


@frozen(kw_only=True)
class BatchResult:
    """The result of one batch. ``gaps`` are buckets that wait for missing events.

    ``left`` are records that were not handled, because an event of their bucket failed with a transient error. They are
    handled again after a short pause, before any others.
    ``superseded`` records are of an earlier epoch of the log, and are ignored.
    """

    events: int = 0
    duplicates: int = 0
    parked: int = 0
    foreign: int = 0
    superseded: int = 0
    gaps: tuple[LogGap, ...] = ()
    left: tuple[LogRecord, ...] = ()
