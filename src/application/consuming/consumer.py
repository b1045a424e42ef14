"""What a consumer is, and the transaction that its effects and its cursor share."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from attrs import frozen

from ...domain.errors import LogGap
from ..event_log.records import Delivery, LogRecord, Positions

if TYPE_CHECKING:
    from ..analytics.ports import AnalyticsStore
    from ..inventory.ports import ReservationStore
    from ..notifications.ports import NotificationStore
    from .ports import DeadLetterStore


class ConsumerTransaction(Protocol):
    """One transaction of a consumer: effects and cursors commit together, or not at all."""

    @property
    def notifications(self) -> "NotificationStore": ...

    @property
    def analytics(self) -> "AnalyticsStore": ...

    @property
    def reservations(self) -> "ReservationStore": ...

    @property
    def dead_letters(self) -> "DeadLetterStore": ...

    async def hold(self, buckets: Collection[int]) -> Positions:
        """This consumer's cursors of ``buckets``, each of which stays there until this transaction ends."""
        ...

    async def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        """Move this consumer's cursor of each bucket from the first position to the second.

        Raises StaleCursor where a cursor is not at the first position; then nothing of this transaction stays.
        """
        ...


class ConsumerStore(Protocol):
    def __call__(self, consumer: str) -> AbstractAsyncContextManager[ConsumerTransaction]:
        """A transaction of ``consumer``; commits at its end. Raises StaleCursor, StorageUnavailable."""
        ...


class Consumer(Protocol):
    """What is done about events. ``name`` is its reader name in the cursors and its Kafka group."""

    @property
    def name(self) -> str: ...

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        """The effects of ``deliveries`` within ``work``, all or none; each order's events come in sequence."""
        ...

    async def settle(self) -> int:
        """Do what earlier effects asked for outside the transaction (send, cancel); how much was done.

        Called after every batch and when idle; each piece of work is idempotent and noted when done.
        """
        ...


@runtime_checkable
class OutsideConsumer(Consumer, Protocol):
    """A consumer that does something outside of every transaction: it may take long, and write to the storage itself.

    What it does so, it does at least once for each event, before ``handle`` notes that.
    """

    async def tell(self, deliveries: Sequence[Delivery]) -> None:
        """Do it for ``deliveries``, before none of which an event is parked; each order's events come in sequence."""
        ...


class HandlingObserver(Protocol):
    def __call__(self, consumer: str, records: Sequence[LogRecord], *, seconds: float, failure: str) -> None:
        """``records`` were handled and committed together, in so many seconds; or they failed, with that code."""
        ...


@frozen(kw_only=True)
class BatchResult:
    """What came of one batch. ``gaps`` are buckets that wait for events that did not come.

    ``left`` are records that were not handled: an event of each of their buckets failed by something that may pass.
    They are to be given again after a moment, before any others.
    ``superseded`` records are of an earlier epoch of the log, and do not count any more.
    """

    events: int = 0
    duplicates: int = 0
    parked: int = 0
    foreign: int = 0
    superseded: int = 0
    gaps: tuple[LogGap, ...] = ()
    left: tuple[LogRecord, ...] = ()
