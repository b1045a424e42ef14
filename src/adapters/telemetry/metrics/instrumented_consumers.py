"""Consumers counted from outside: what a handler takes and how long, and what came of each batch.

An event counts as handled when its effects are committed: what is seen in a transaction is told at its end.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from attrs import define, field

from ....application.consuming.consumer import (
    BatchResult,
    Consumer,
    ConsumerStore,
    ConsumerTransaction,
    OutsideConsumer,
)
from ....application.event_log.records import Delivery, LogRecord, UnrecognizedRecord
from ....domain.errors import Unavailable
from . import catalogue as the
from .business import InstrumentedAnalyticsStore
from .instruments import Instruments

Telling = Callable[[], None]


@define(eq=False)
class InstrumentedConsumer:
    """``consumer``, one transaction at a time; ``store`` has to be the one that its transactions come from."""

    consumer: Consumer
    store: "InstrumentedStore"
    instruments: Instruments
    _outside: float = field(default=0.0, init=False)

    @property
    def name(self) -> str:
        return self.consumer.name

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        began = perf_counter()
        try:
            await self.consumer.handle(deliveries, work)
        except Exception as error:
            self._failed(deliveries, perf_counter() - began, error)
            raise
        took = self._outside + perf_counter() - began
        self._outside = 0.0
        self.store.at_commit(lambda: self._told(deliveries, took, "ok"))

    async def settle(self) -> int:
        return await self.consumer.settle()

    def _failed(self, deliveries: Sequence[Delivery], seconds: float, error: Exception) -> None:
        """Only of an event that failed alone it is known that it failed; and a backend's failure is not its own."""
        if len(deliveries) == 1 and not isinstance(error, Unavailable):
            self._told(deliveries, seconds, "failed")

    def _told(self, deliveries: Sequence[Delivery], seconds: float, outcome: str) -> None:
        each = seconds / len(deliveries)
        for type_, many in Counter([delivery.event.type for delivery in deliveries]).items():
            labels = {"consumer": self.name, "type": type_, "outcome": outcome}
            self.instruments.add(the.PROCESSED, many, **labels)
            self.instruments.observe(the.PROCESS_SECONDS, each, **labels)


@define(eq=False)
class InstrumentedOutsideConsumer(InstrumentedConsumer):
    """One that does its work before the transaction: that time counts too."""

    async def tell(self, deliveries: Sequence[Delivery]) -> None:
        outside: Any = self.consumer
        began = perf_counter()
        try:
            await outside.tell(deliveries)
        except Exception as error:
            self._failed(deliveries, perf_counter() - began, error)
            raise
        self._outside = perf_counter() - began


@define(eq=False)
class InstrumentedStore:
    """A consumer's transactions; what is noted ``at_commit`` happens once that transaction is committed."""

    store: ConsumerStore
    instruments: Instruments
    _noted: list[Telling] = field(factory=list, init=False)

    def at_commit(self, tell: Telling) -> None:
        self._noted.append(tell)

    @asynccontextmanager
    async def __call__(self, consumer: str) -> AsyncIterator[ConsumerTransaction]:
        self._noted = []
        async with self.store(consumer) as work:
            yield self._watched(work) if consumer == "analytics" else work
        for tell in self._noted:
            tell()

    def _watched(self, work: ConsumerTransaction) -> ConsumerTransaction:
        book = InstrumentedAnalyticsStore(work.analytics, self.instruments, self.at_commit)
        return _WithAnalytics(work, book)


@define(eq=False)
class _WithAnalytics:
    """``work`` with another analytics book."""

    work: ConsumerTransaction
    analytics: InstrumentedAnalyticsStore

    def __getattr__(self, name: str) -> Any:
        return getattr(self.work, name)


@define(eq=False)
class InstrumentedBatches:
    """``handle_batch`` of the consumer ``name``."""

    handle_batch: Callable[[Sequence[LogRecord | UnrecognizedRecord]], Awaitable[BatchResult]]
    name: str
    instruments: Instruments

    async def __call__(self, records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        began = perf_counter()
        try:
            handled = await self.handle_batch(records)
        finally:
            self.instruments.observe(the.BATCH_SECONDS, perf_counter() - began, consumer=self.name)
            self.instruments.observe(the.BATCH_EVENTS, len(records), consumer=self.name)
        counts = {
            "handled": handled.events,
            "duplicate": handled.duplicates,
            "parked": handled.parked,
            "foreign": handled.foreign,
            "superseded": handled.superseded,
        }
        for outcome, many in counts.items():
            if many:
                self.instruments.add(the.CONSUMED, many, consumer=self.name, outcome=outcome)
        if handled.gaps:
            self.instruments.add(the.GAPS, len(handled.gaps), consumer=self.name)
        return handled


def watched(
    consumer: Consumer, store: ConsumerStore, instruments: Instruments
) -> tuple[InstrumentedConsumer, InstrumentedStore]:
    """``consumer`` and ``store``, for whoever runs them in one transaction after the other."""
    seen = InstrumentedStore(store, instruments)
    kind = InstrumentedOutsideConsumer if isinstance(consumer, OutsideConsumer) else InstrumentedConsumer
    return kind(consumer, seen, instruments), seen
