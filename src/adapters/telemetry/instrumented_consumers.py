"""Consumers and their batches, counted and traced.

An event counts as handled once its effects are committed, and once however often it is given.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Generic

from attrs import define, field

from ...application.analytics.order_progress import AnalyticsResult
from ...application.consuming.consumer import BatchResult, Consumer, OutsideConsumer, T
from ...application.event_log.records import Delivery, LogRecord, UnrecognizedRecord
from ...domain.errors import Unavailable
from .instrumented import Telemetry
from .metrics import catalogue
from .metrics.business import count_business
from .tracing.message_spans import trace_processed


@define(eq=False)
class InstrumentedConsumer(Generic[T]):
    """``consumer``, timed; and, as ``observe``, the observer of the batches that it handles, one after the other."""

    consumer: Consumer[T]
    telemetry: Telemetry
    _outside: float = field(default=0.0, init=False)
    """Seconds outside of the transaction, for the events in hand."""
    _seconds: float = field(default=0.0, init=False)
    """Seconds in all, for the events of the transaction in hand."""

    @property
    def name(self) -> str:
        return self.consumer.name

    async def handle(self, deliveries: Sequence[Delivery], work: T) -> object:
        began = perf_counter()
        try:
            result = await self.consumer.handle(deliveries, work)
        except Exception as error:
            self._failed(deliveries, perf_counter() - began, error)
            raise
        self._seconds, self._outside = self._outside + perf_counter() - began, 0.0
        return result

    async def settle(self) -> int:
        return await self.consumer.settle()

    def observe(
        self, records: Sequence[LogRecord], *, seconds: float, failure: str = "", result: object = None
    ) -> None:
        """Count and trace ``records``, whose effects are committed; or trace them, if they failed."""
        telemetry = self.telemetry
        if not failure:
            self._count([record.type for record in records], self._seconds, "ok")
        if isinstance(result, AnalyticsResult):
            count_business(telemetry.instruments, result.changes)
        trace_processed(telemetry.tracing, telemetry.destination, self.name, records, seconds, failure)

    def _failed(self, deliveries: Sequence[Delivery], seconds: float, error: Exception) -> None:
        """Count an event that failed on its own; in a batch it is not known which failed.

        A backend's failure is not the event's.
        """
        if len(deliveries) == 1 and not isinstance(error, Unavailable):
            self._count([deliveries[0].event.type], seconds, "failed")

    def _count(self, types: Sequence[str], seconds: float, outcome: str) -> None:
        for type_, count in Counter(types).items():
            labels = {"consumer": self.name, "type": type_, "outcome": outcome}
            self.telemetry.instruments.add(catalogue.PROCESSED, count, **labels)
            self.telemetry.instruments.observe(catalogue.PROCESS_SECONDS, seconds / len(types), **labels)


@define(eq=False)
class InstrumentedOutsideConsumer(InstrumentedConsumer[T]):
    """A consumer whose work outside the transaction, ``outside``, is part of the time that it takes."""

    outside: OutsideConsumer = field(kw_only=True)

    async def perform(self, deliveries: Sequence[Delivery]) -> None:
        began = perf_counter()
        try:
            await self.outside.perform(deliveries)
        except Exception as error:
            self._failed(deliveries, perf_counter() - began, error)
            raise
        self._outside = perf_counter() - began


@define(eq=False)
class InstrumentedBatches:
    """``handle_batch`` of the consumer ``name``, timed and counted by outcome."""

    handle_batch: Callable[[Sequence[LogRecord | UnrecognizedRecord]], Awaitable[BatchResult]]
    name: str
    telemetry: Telemetry

    async def __call__(self, records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        instruments, began = self.telemetry.instruments, perf_counter()
        try:
            handled = await self.handle_batch(records)
        finally:
            instruments.observe(catalogue.BATCH_SECONDS, perf_counter() - began, consumer=self.name)
            instruments.observe(catalogue.BATCH_EVENTS, len(records), consumer=self.name)
        counts = {
            "handled": handled.events,
            "duplicate": handled.duplicates,
            "parked": handled.parked,
            "foreign": handled.foreign,
            "superseded": handled.superseded,
        }
        for outcome, count in counts.items():
            if count:
                instruments.add(catalogue.CONSUMED, count, consumer=self.name, outcome=outcome)
        if handled.gaps:
            instruments.add(catalogue.GAPS, len(handled.gaps), consumer=self.name)
        return handled


def instrumented(consumer: Consumer[T], telemetry: Telemetry) -> InstrumentedConsumer[T]:
    """Wrap ``consumer`` for one handler of batches, or one redrive, that also has its ``observe`` as observer."""
    if isinstance(consumer, OutsideConsumer):
        return InstrumentedOutsideConsumer(consumer, telemetry, outside=consumer)
    return InstrumentedConsumer(consumer, telemetry)
