"""Use-cases, committer, relay topic, direct publishing and notifiers, each counted, traced and logged by one class.

The container wraps them. Counting takes microseconds and is done once for a call or a batch.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from time import perf_counter
from typing import Generic, ParamSpec, TypeVar

from attrs import define, field, frozen

from ...application.audit import DONE, audit
from ...application.clock import NewId
from ...application.event_log.records import LogRecord, event_fields
from ...application.log_lines import log_each, request_fields
from ...application.noop import noop
from ...application.notifications.notification import Contact, Message, Receipt
from ...application.notifications.ports import Notifier
from ...application.orders.batching import BatchObservation
from ...application.orders.ports import Committer
from ...application.orders.write_set import WriteSet
from ...application.recovery.epochs import BEGINNING, Epochs
from ...application.redaction import code_of
from ...application.relay.ports import OnFlushed, RelayTopic
from ...application.request_context import answering, begun, current_request
from ...domain.actor import Actor
from ...domain.errors import ChannelUnavailable, OrderFlowError
from ...domain.text import is_identifier
from .metrics import catalogue
from .metrics.instruments import Instruments
from .metrics.labels import OTHER
from .tracing.message_spans import Destination, trace_sent
from .tracing.tracing import Tracing

commands = logging.getLogger("orderflow.commands")
relay = logging.getLogger("orderflow.relay")

P = ParamSpec("P")
R = TypeVar("R")


@frozen
class Telemetry:
    """The metrics and spans of one process, and where its events travel."""

    instruments: Instruments = field(factory=Instruments)
    tracing: Tracing = field(factory=Tracing)
    destination: Destination = field(factory=Destination)


def outcome_of(error: BaseException | None) -> str:
    """Return ``ok``, the code of a domain error, or OTHER for any other error."""
    if error is None:
        return "ok"
    return error.code if isinstance(error, OrderFlowError) else OTHER


@define(eq=False)
class InstrumentedCommand(Generic[P, R]):
    """The use-case ``call`` as one request: everything that it causes has one correlation id and one trace.

    Both are made here if no entrypoint gave them; a trace that is not recorded still joins log lines and events.
    A call that is cancelled is not counted.
    """

    command: str
    call: Callable[P, Awaitable[R]]
    telemetry: Telemetry
    new_id: NewId

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        tracing = self.telemetry.tracing
        traced = tracing.on
        with (
            answering(begun(current_request(), self.command, new_id=self.new_id, traced=traced)),
            tracing.span(self.command) if traced else nullcontext(),
        ):
            began = perf_counter()
            try:
                result = await self.call(*args, **kwargs)
            except Exception as error:
                self._count(perf_counter() - began, error)
                self._audit(args, kwargs, outcome_of(error))
                raise
            self._count(perf_counter() - began, None)
            self._audit(args, kwargs, DONE)
            return result

    def _audit(self, args: tuple[object, ...], kwargs: Mapping[str, object], outcome: str) -> None:
        """Write the audit line of a command, unless the HTTP API does, which knows the caller's token and address."""
        request = current_request()
        if request.door == "http":
            return
        named = args[0] if args else None
        order_id = named if isinstance(named, str) else getattr(named, "order_id", None)
        audit(
            request,
            door=request.door or "process",
            action=self.command,
            outcome=outcome,
            actor=str(by) if isinstance(by := kwargs.get("by"), Actor) else "",
            order_id=order_id if is_identifier(order_id) else "",
        )

    def _count(self, seconds: float, error: Exception | None) -> None:
        instruments = self.telemetry.instruments
        instruments.add(catalogue.COMMANDS, command=self.command, outcome=outcome_of(error))
        instruments.observe(catalogue.COMMAND_SECONDS, seconds, command=self.command)


@frozen
class InstrumentedCommitter:
    """A committer whose commits are timed and traced, with a log line for every order that one has changed."""

    committer: Committer
    telemetry: Telemetry

    async def commit(self, writes: WriteSet) -> None:
        tracing, began = self.telemetry.tracing, perf_counter()
        attributes = {"orderflow.events": len(writes.events)}
        try:
            with tracing.span("commit", attributes=attributes) if tracing.on else nullcontext():
                await self.committer.commit(writes)
        except Exception as error:
            self._observe(perf_counter() - began, error)
            raise
        seconds = perf_counter() - began
        self._observe(seconds, None)
        if writes.events and commands.isEnabledFor(logging.INFO):
            log_each(commands, logging.INFO, "order changed", _changes(writes, seconds))

    def _observe(self, seconds: float, error: Exception | None) -> None:
        self.telemetry.instruments.observe(catalogue.COMMIT_SECONDS, seconds, outcome=outcome_of(error))


def observe_batch(instruments: Instruments, work: str, batch: BatchObservation) -> None:
    """Record the size of a batch of ``work``, and how long its first member waited."""
    instruments.observe(catalogue.BATCH_SIZE, batch.size, work=work)
    instruments.observe(catalogue.BATCH_WAIT_SECONDS, batch.waited, work=work)


def count_refusal(instruments: Instruments, work: str) -> None:
    """Count a caller who was refused because too many waited for ``work``."""
    instruments.add(catalogue.BATCH_REFUSALS, work=work)


def _changes(writes: WriteSet, seconds: float) -> Iterator[Mapping[str, object]]:
    by_order = defaultdict(list)
    for event in writes.events:
        by_order[event.order_id].append(event)
    for order_id, events in by_order.items():
        yield {
            **request_fields(writes.request),
            "order_id": order_id,
            "event_id": events[-1].id,
            "duration": round(seconds, 6),
            "command": writes.request.command,
            "types": [event.type for event in events],
            "sequence": events[-1].sequence,
        }


@frozen
class InstrumentedPublishing:
    """Counts what is sent to Kafka ``via`` relay or direct publishing, and traces each event of it."""

    telemetry: Telemetry
    via: str

    def __call__(
        self,
        records: Sequence[LogRecord],
        delivered: Sequence[bool],
        seconds: float,
        failure: str = "stream_unavailable",
    ) -> None:
        """Record ``records``, which were sent together in ``seconds``, and whether Kafka has each.

        ``failure`` is the code of the error of those that it does not have.
        """
        instruments, tracing, to = self.telemetry.instruments, self.telemetry.tracing, self.telemetry.destination
        for (type_, ok), count in Counter(zip((it.type for it in records), delivered, strict=True)).items():
            outcome = "ok" if ok else "failed"
            instruments.add(catalogue.SENT_MESSAGES, count, type=type_, via=self.via, outcome=outcome)
        outcome = "ok" if all(delivered) else "failed"
        instruments.observe(catalogue.SEND_SECONDS, seconds, via=self.via, outcome=outcome)
        instruments.observe(catalogue.SEND_BATCH, len(records), via=self.via)
        if tracing.on:
            pairs = [*zip(records, delivered, strict=True)]
            trace_sent(tracing, to, [it for it, ok in pairs if ok], seconds, "")
            trace_sent(tracing, to, [it for it, ok in pairs if not ok], seconds, failure)


@define(eq=False)
class InstrumentedRelayTopic:
    """A relay topic whose batches are counted and traced, with a debug line for each and for each of its events."""

    topic: RelayTopic
    telemetry: Telemetry

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        return await self.topic.cursors(epochs)

    async def checksums(self) -> Mapping[int, int]:
        return await self.topic.checksums()

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        began = perf_counter()
        delivered, failure = False, ""
        try:
            await self.topic.publish(records, on_flushed)
            delivered = True
        except Exception as error:
            failure = code_of(error)
            raise
        finally:
            seconds = perf_counter() - began
            count_and_trace = InstrumentedPublishing(self.telemetry, "relay")
            count_and_trace(records, [delivered] * len(records), seconds, failure)
            if relay.isEnabledFor(logging.DEBUG):
                self._log(records, seconds, failure)

    async def close(self) -> None:
        await self.topic.close()

    def _log(self, records: Sequence[LogRecord], seconds: float, failure: str) -> None:
        outcome = {"duration": round(seconds, 6), **({"error": {"code": failure}} if failure else {})}
        batch = {**outcome, "events": len(records), "topic": self.telemetry.destination.name}
        relay.debug("batch published", extra=batch)
        log_each(relay, logging.DEBUG, "published", ({**event_fields(it), **outcome} for it in records))


@frozen
class InstrumentedNotifier:
    """A notifier whose messages are counted and timed by what became of them."""

    notifier: Notifier
    instruments: Instruments

    @property
    def name(self) -> str:
        return self.notifier.name

    def address(self, party: str, contact: Contact | None) -> str | None:
        return self.notifier.address(party, contact)

    async def send(self, message: Message) -> Receipt:
        began = perf_counter()
        outcome = "failed"
        try:
            receipt = await self.notifier.send(message)
            if isinstance(receipt, Receipt):  # a channel may be the application's own
                outcome = "sent" if receipt.accepted else "refused"
        except ChannelUnavailable:
            outcome = "unavailable"
            raise
        finally:
            self.instruments.observe(catalogue.NOTIFIED, perf_counter() - began, channel=self.name, outcome=outcome)
        return receipt
