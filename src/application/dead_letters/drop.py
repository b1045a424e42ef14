"""Somebody gives up the effect of an event that a consumer cannot handle."""

import logging

from attrs import frozen

from ...domain.errors import NotFound
from ..clock import Clock
from ..consuming.consumer import ConsumerStore, ConsumerTransaction
from ..consuming.dead_letter import DeadLetter, DeadLetterAction, Outcome
from ..event_log.records import about
from ..operator_note import OperatorNote

logger = logging.getLogger("orderflow.consumer")


@frozen(kw_only=True)
class DropResult:
    """The letters that are gone; ``unparked`` where the order has none left, so that it goes on in the stream."""

    consumer: str
    order_id: str
    letters: tuple[DeadLetter, ...]
    unparked: bool


@frozen
class DropDeadLetter:
    """The event stays in the log, and other consumers are not concerned; this one never handles it.

    Who did it and why is noted in the same transaction. Raises InvalidInput for a name or a reason that says nothing,
    NotFound where the consumer has not parked that order, StorageUnavailable.
    """

    store: ConsumerStore[ConsumerTransaction]
    clock: Clock

    async def __call__(
        self, consumer: str, order_id: str, *, by: str, reason: str, with_followers: bool = False
    ) -> DropResult:
        """The order's first letter: what waited behind it is redriven then. ``with_followers``, all of the order's."""
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        dropped: list[DeadLetter] = []
        async with self.store(consumer) as work:
            unparked = False
            while (letter := await work.dead_letters.first(order_id)) is not None:
                unparked = await self._drop(work, letter, note)
                dropped.append(letter)
                if not with_followers:
                    break
        if not dropped:
            raise NotFound(f"dead letter of {consumer} for order", order_id)
        for letter in dropped:
            logger.warning("event dropped", extra={**about(letter.record), "consumer": consumer})
        return DropResult(consumer=consumer, order_id=order_id, letters=tuple(dropped), unparked=unparked)

    async def _drop(self, work: ConsumerTransaction, letter: DeadLetter, note: OperatorNote) -> bool:
        last = await work.dead_letters.remove(letter)
        await work.dead_letters.note(DeadLetterAction.of(letter, Outcome.DROPPED, note))
        return last
