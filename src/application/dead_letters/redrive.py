"""Redrives dead letters: handles the events of parked orders again, in order, after the cause was fixed."""

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Generic

from attrs import evolve, frozen

from ...domain.errors import Unavailable
from ...domain.text import identifier
from ..backoff import RateLimit
from ..clock import Clock
from ..consuming.consumer import Consumer, ConsumerStore, HandlingObserver, OutsideConsumer, T
from ..consuming.dead_letter import DeadLetter, DeadLetterAction, Outcome
from ..event_log.ports import Decode
from ..event_log.records import Delivery, event_fields
from ..noop import noop
from ..operator_note import OperatorNote
from .ports import DeadLetters

logger = logging.getLogger("orderflow.consumer")


@frozen(kw_only=True)
class RedriveResult:
    """The result: ``events`` handled, orders ``unparked``, and the dead letters at which orders ``stopped``."""

    consumer: str
    events: int
    unparked: tuple[str, ...]
    stopped: tuple[DeadLetter, ...]


@frozen(kw_only=True)
class RedriveCandidate:
    """A parked order with ``events`` dead letters; the first has number ``sequence`` and failed with ``error``."""

    consumer: str
    order_id: str
    sequence: int
    error: str
    events: int


@frozen
class Redrive(Generic[T]):
    """Handles dead letters, each in one transaction with its removal. An order's last one unparks the order.

    An order stops at the first event that fails again, whose dead letter then has the new failure. New events of the
    order are meanwhile appended to its dead letters, so none overtakes. The operator's note is stored with each event,
    in the transaction that handles it or that stores its new failure. Raises Unavailable; the rest stays parked.
    """

    consumer: Consumer[T]
    store: ConsumerStore[T]
    dead_letters: DeadLetters
    decode: Decode
    clock: Clock
    observer: HandlingObserver = noop

    async def __call__(
        self,
        order_id: str | None = None,
        *,
        error: str | None = None,
        by: str,
        reason: str,
        pace: RateLimit | None = None,
    ) -> RedriveResult:
        """Redrive one order, or all of this consumer's; with ``error``, those whose first event failed with that class.

        ``pace`` limits the events per second. Raises InvalidInput for a blank name or reason.
        """
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        events, unparked, stopped = 0, [], []
        for parked in await self._first_dead_letters(order_id, error):
            handled, failed = await self._order(parked.record.order_id, note, pace or RateLimit())
            events += handled
            if failed is None:
                unparked.append(parked.record.order_id)
            else:
                stopped.append(failed)
        return RedriveResult(
            consumer=self.consumer.name, events=events, unparked=tuple(unparked), stopped=tuple(stopped)
        )

    async def preview(
        self, order_id: str | None = None, *, error: str | None = None, limit: int | None = None
    ) -> Sequence[RedriveCandidate]:
        """Return the orders that the same call would redrive, in that order, at most ``limit``. Changes nothing."""
        first = await self._first_dead_letters(order_id, error, limit)
        waiting = await self.dead_letters.waiting(self.consumer.name, {it.record.order_id for it in first})
        return [
            RedriveCandidate(
                consumer=self.consumer.name,
                order_id=(parked := dead_letter.record.order_id),
                sequence=dead_letter.record.sequence,
                error=dead_letter.error,
                events=waiting.get(parked, 1),
            )
            for dead_letter in first
        ]

    async def _first_dead_letters(
        self, order_id: str | None, error: str | None, limit: int | None = None
    ) -> Sequence[DeadLetter]:
        if order_id is None:
            return await self.dead_letters.blocking(self.consumer.name, error=error, limit=limit)
        wanted = identifier(order_id, field="orderId")
        first = (await self.dead_letters.of_order(self.consumer.name, wanted))[:1]
        return [dead_letter for dead_letter in first if error in (None, dead_letter.error)]

    async def _order(self, order_id: str, note: OperatorNote, pace: RateLimit) -> tuple[int, DeadLetter | None]:
        """Redrive one order. Return how many events were handled, and the dead letter that failed again, if one did."""
        handled = 0
        while True:
            dead_letter: DeadLetter | None = None
            await pace.turn()
            began = perf_counter()
            try:
                if isinstance(self.consumer, OutsideConsumer):
                    async with self.store(self.consumer.name) as work:
                        dead_letter = await work.dead_letters.first(order_id)
                    if dead_letter is None:
                        return handled, None
                    await self.consumer.perform([self._decoded(dead_letter)])
                announced = dead_letter
                async with self.store(self.consumer.name) as work:
                    dead_letter = await work.dead_letters.first(order_id)
                    if dead_letter is None:
                        return handled, None
                    if announced is not None and announced.record != dead_letter.record:
                        continue  # another redrive handled it; this one is next
                    result = await self.consumer.handle([self._decoded(dead_letter)], work)
                    last = await work.dead_letters.remove(dead_letter)
                    await work.dead_letters.note(self._action(dead_letter, Outcome.HANDLED, note))
            except Unavailable:
                raise
            except Exception as failure:
                if dead_letter is None:
                    raise
                return handled, await self._failed(dead_letter.failed_again(failure, self.clock()), note)
            handled += 1
            seconds = perf_counter() - began
            fields = {"consumer": self.consumer.name, "attempt": dead_letter.attempts + 1, "duration": seconds}
            logger.info("handled", extra={**event_fields(dead_letter.record), **fields})
            self.observer([dead_letter.record], seconds=seconds, result=result)
            if last:
                return handled, None

    def _decoded(self, dead_letter: DeadLetter) -> Delivery:
        return Delivery(dead_letter.record, self.decode(dead_letter.record))

    def _action(self, dead_letter: DeadLetter, outcome: Outcome, note: OperatorNote) -> DeadLetterAction:
        return DeadLetterAction.of(dead_letter, outcome, evolve(note, at=self.clock()))

    async def _failed(self, dead_letter: DeadLetter, note: OperatorNote) -> DeadLetter:
        fields = {"consumer": self.consumer.name, "attempt": dead_letter.attempts, "error": dead_letter.error}
        logger.warning("event failed again", extra={**event_fields(dead_letter.record), **fields})
        async with self.store(self.consumer.name) as work:
            first = await work.dead_letters.first(dead_letter.record.order_id)
            if first is not None and first.record.sequence == dead_letter.record.sequence:
                await work.dead_letters.keep([dead_letter])
                await work.dead_letters.note(self._action(dead_letter, Outcome.FAILED, note))
        return dead_letter
