"""Drops dead letters: skips an event that a consumer cannot handle."""

import logging

from attrs import frozen

from ...domain.errors import NotFound
from ..clock import Clock
from ..consuming.consumer import ConsumerStore, ConsumerTransaction
from ..consuming.dead_letter import DeadLetter, DeadLetterAction, Outcome
from ..event_log.records import event_fields
from ..operator_note import OperatorNote

logger = logging.getLogger("orderflow.consumer")


@frozen(kw_only=True)
class DropResult:
    """The dropped ``dead_letters``. ``unparked``: the order has none left, so its next events are handled."""

    consumer: str
    order_id: str
    dead_letters: tuple[DeadLetter, ...]
    unparked: bool


@frozen
class DropDeadLetter:
    """Drops dead letters of an order. The events stay in the log, other consumers handle them, this one never does.

    The operator's note is stored in the same transaction. Raises InvalidInput for a blank name or reason, NotFound if
    the consumer has not parked that order, StorageUnavailable.
    """

    store: ConsumerStore[ConsumerTransaction]
    clock: Clock

    async def __call__(
        self, consumer: str, order_id: str, *, by: str, reason: str, with_followers: bool = False
    ) -> DropResult:
        """Drop the order's first dead letter; the next redrive handles those after it. ``with_followers`` drops all."""
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        dropped: list[DeadLetter] = []
        async with self.store(consumer) as work:
            unparked = False
            while (dead_letter := await work.dead_letters.first(order_id)) is not None:
                unparked = await self._drop(work, dead_letter, note)
                dropped.append(dead_letter)
                if not with_followers:
                    break
        if not dropped:
            raise NotFound(f"dead letter of {consumer} for order", order_id)
        for dead_letter in dropped:
            logger.warning("event dropped", extra={**event_fields(dead_letter.record), "consumer": consumer})
        return DropResult(consumer=consumer, order_id=order_id, dead_letters=tuple(dropped), unparked=unparked)

    async def _drop(self, work: ConsumerTransaction, dead_letter: DeadLetter, note: OperatorNote) -> bool:
        last = await work.dead_letters.remove(dead_letter)
        await work.dead_letters.note(DeadLetterAction.of(dead_letter, Outcome.DROPPED, note))
        return last
