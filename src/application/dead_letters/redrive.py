"""Events that were set aside are handled after all, in order, once their cause is mended."""

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
    """What a redrive did: ``events`` handled, ``unparked`` orders, and the letters at which orders ``stopped``."""

    consumer: str
    events: int
    unparked: tuple[str, ...]
    stopped: tuple[DeadLetter, ...]


@frozen(kw_only=True)
class RedriveCandidate:
    """An order whose ``events`` wait, the first of them number ``sequence``, which failed with ``error``."""

    consumer: str
    order_id: str
    sequence: int
    error: str
    events: int


@frozen
class Redrive(Generic[T]):
    """Each event in a transaction with the removal of its letter; an order's last one unparks the order.

    An order stops at the first event that fails again, whose letter then tells the new failure. New events of the
    order meanwhile go to the end of its letters, so none overtakes. For each event, who asked for it and why is noted
    in the transaction that handles it, or that keeps its new failure. Raises Unavailable: what is left stays parked.
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
        """The letters of one order, or of all of this consumer's; with ``error``, where the first has that class.

        ``pace`` is how many events a second. Raises InvalidInput for a name or a reason that says nothing.
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
        """The orders that the same call would redrive, in that order. Nothing is changed by asking."""
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
        """How many events were handled, and the letter that failed again, if one did."""
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
                    await self.consumer.perform([self._opened(letter)])
                told = letter
                async with self.store(self.consumer.name) as work:
                    letter = await work.dead_letters.first(order_id)
                    if letter is None:
                        return handled, None
                    if told is not None and told.record != letter.record:
                        continue  # another redrive was here; this letter is told next
                    result = await self.consumer.handle([self._opened(letter)], work)
                    last = await work.dead_letters.remove(letter)
                    await work.dead_letters.note(self._change(letter, Outcome.HANDLED, note))
            except Unavailable:
                raise
            except Exception as failure:
                if letter is None:
                    raise
                return handled, await self._failed(letter.failed_again(failure, self.clock()), note)
            handled += 1
            seconds = perf_counter() - began
            said = {"consumer": self.consumer.name, "attempt": letter.attempts + 1, "duration": seconds}
            logger.info("handled", extra={**about(letter.record), **said})
            self.observer([letter.record], seconds=seconds, result=result)
            if last:
                return handled, None

    def _opened(self, letter: DeadLetter) -> Delivery:
        return Delivery(letter.record, self.decode(letter.record))

    def _change(self, letter: DeadLetter, outcome: Outcome, note: OperatorNote) -> DeadLetterAction:
        return DeadLetterAction.of(letter, outcome, evolve(note, at=self.clock()))

    async def _failed(self, letter: DeadLetter, note: OperatorNote) -> DeadLetter:
        said = {"consumer": self.consumer.name, "attempt": letter.attempts, "error": letter.error}
        logger.warning("event failed again", extra={**about(letter.record), **said})
        async with self.store(self.consumer.name) as work:
            first = await work.dead_letters.first(letter.record.order_id)
            if first is not None and first.record.sequence == letter.record.sequence:
                await work.dead_letters.keep([letter])
                await work.dead_letters.note(self._change(letter, Outcome.FAILED, note))
        return letter
