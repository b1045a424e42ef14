"""Redrives dead letters: handles the events of parked orders again, in order, after the cause was fixed."""

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Generic

from attrs import evolve, frozen

from ...domain.errors import Unavailable
from ..backoff import RateLimit
from ..clock import Clock
from ..consuming.consumer import Consumer, ConsumerStore, HandlingObserver, OutsideConsumer, T
from ..consuming.dead_letter import DeadLetter, DeadLetterAction, Outcome
from ..event_log.ports import Decode
from ..event_log.records import Delivery, about
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
    letters: DeadLetters
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
        for parked in await self._first_letters(order_id, error):
            handled, failed = await self._order(parked.record.order_id, note, pace or RateLimit())
            events += handled
            if failed is None:
                unparked.append(parked.record.order_id)
            else:
                stopped.append(failed)
        return RedriveResult(
            consumer=self.consumer.name, events=events, unparked=tuple(unparked), stopped=tuple(stopped)
        )

    async def would(self, order_id: str | None = None, *, error: str | None = None) -> Sequence[RedriveCandidate]:
        """Return the orders that the same call would redrive, in that order. Changes nothing."""
        waiting = await self.letters.waiting(self.consumer.name)
        return [
            RedriveCandidate(
                consumer=self.consumer.name,
                order_id=(parked := letter.record.order_id),
                sequence=letter.record.sequence,
                error=letter.error,
                events=waiting.get(parked, 1),
            )
            for letter in await self._first_letters(order_id, error)
        ]

    async def _first_letters(self, order_id: str | None, error: str | None) -> Sequence[DeadLetter]:
        blocking = await self.letters.blocking(self.consumer.name, error=error)
        return [letter for letter in blocking if order_id in (None, letter.record.order_id)]

    async def _order(self, order_id: str, note: OperatorNote, pace: RateLimit) -> tuple[int, DeadLetter | None]:
        """Redrive one order. Return how many events were handled, and the dead letter that failed again, if one did."""
        handled = 0
        while True:
            letter: DeadLetter | None = None
            await pace.turn()
            began = perf_counter()
            try:
                if isinstance(self.consumer, OutsideConsumer):
                    async with self.store(self.consumer.name) as work:
                        letter = await work.dead_letters.first(order_id)
                    if letter is None:
                        return handled, None
                    await self.consumer.perform([self._decoded(letter)])
                announced = letter
                async with self.store(self.consumer.name) as work:
                    letter = await work.dead_letters.first(order_id)
                    if letter is None:
                        return handled, None
                    if announced is not None and announced.record != letter.record:
                        continue  # another redrive handled it; this letter is next
                    result = await self.consumer.handle([self._decoded(letter)], work)
                    last = await work.dead_letters.remove(letter)
                    await work.dead_letters.note(self._action(letter, Outcome.HANDLED, note))
            except Unavailable:
                raise
            except Exception as failure:
                if letter is None:
                    raise
                return handled, await self._failed(letter.failed_again(failure, self.clock()), note)
            handled += 1
            seconds = perf_counter() - began
            fields = {"consumer": self.consumer.name, "attempt": letter.attempts + 1, "duration": seconds}
            logger.info("handled", extra={**about(letter.record), **fields})
            self.observer([letter.record], seconds=seconds, result=result)
            if last:
                return handled, None

    def _decoded(self, letter: DeadLetter) -> Delivery:
        return Delivery(letter.record, self.decode(letter.record))

    def _action(self, letter: DeadLetter, outcome: Outcome, note: OperatorNote) -> DeadLetterAction:
        return DeadLetterAction.of(letter, outcome, evolve(note, at=self.clock()))

    async def _failed(self, letter: DeadLetter, note: OperatorNote) -> DeadLetter:
        fields = {"consumer": self.consumer.name, "attempt": letter.attempts, "error": letter.error}
        logger.warning("event failed again", extra={**about(letter.record), **fields})
        async with self.store(self.consumer.name) as work:
            first = await work.dead_letters.first(letter.record.order_id)
            if first is not None and first.record.sequence == letter.record.sequence:
                await work.dead_letters.keep([letter])
                await work.dead_letters.note(self._action(letter, Outcome.FAILED, note))
        return letter
