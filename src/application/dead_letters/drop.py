"""Somebody gives up the effect of an event that a consumer cannot handle."""

import logging

from attrs import frozen

from ...domain.errors import NotFound
from ..clock import Clock
from ..consuming.consumer import ConsumerStore, ConsumerWork
from ..consuming.dead_letter import DeadLetter, LetterChange, Outcome
from ..event_log.records import about
from ..operator_note import Word

logger = logging.getLogger("orderflow.consumer")


@frozen(kw_only=True)
class Dropped:
    """The letters that are gone; ``unparked`` where the order has none left, so that it goes on in the stream."""

    consumer: str
    order_id: str
    letters: tuple[DeadLetter, ...]
    unparked: bool


@frozen
class DropLetters:
    """The event stays in the log, and other consumers are not concerned; this one never handles it.

    Who did it and why is noted in the same transaction. Raises InvalidInput for a name or a reason that says nothing,
    NotFound where the consumer has not parked that order, StorageUnavailable.
    """

    store: ConsumerStore
    clock: Clock

    async def __call__(
        self, consumer: str, order_id: str, *, by: str, why: str, with_followers: bool = False
    ) -> Dropped:
        """The order's first letter: what waited behind it is redriven then. ``with_followers``, all of the order's."""
        word = Word(by=by, why=why, at=self.clock())
        dropped: list[DeadLetter] = []
        async with self.store(consumer) as work:
            unparked = False
            while (letter := await work.dead_letters.first(order_id)) is not None:
                unparked = await self._drop(work, letter, word)
                dropped.append(letter)
                if not with_followers:
                    break
        if not dropped:
            raise NotFound(f"dead letter of {consumer} for order", order_id)
        for letter in dropped:
            logger.warning("event dropped", extra={**about(letter.record), "consumer": consumer})
        return Dropped(consumer=consumer, order_id=order_id, letters=tuple(dropped), unparked=unparked)

    async def _drop(self, work: ConsumerWork, letter: DeadLetter, word: Word) -> bool:
        last = await work.dead_letters.remove(letter)
        await work.dead_letters.note(LetterChange.of(letter, Outcome.DROPPED, word))
        return last
