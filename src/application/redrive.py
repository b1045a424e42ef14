"""Events that were set aside are handled after all, in order, once their cause is mended."""

import logging
from time import perf_counter

from attrs import frozen

from ..domain.errors import Unavailable
from .consuming import Consumer, ConsumerStore, OutsideConsumer
from .dead_letters import DeadLetter
from .lines import about
from .log import Delivery
from .ports import Clock, Decode
from .ports_of_consumers import DeadLetters

logger = logging.getLogger("orderflow.consumer")


@frozen(kw_only=True)
class Redriven:
    """What a redrive did: ``events`` handled, ``unparked`` orders, and the letters at which orders ``stopped``."""

    events: int
    unparked: tuple[str, ...]
    stopped: tuple[DeadLetter, ...]


@frozen
class Redrive:
    """Each event in a transaction with the removal of its letter; an order's last one unparks the order.

    An order stops at the first event that fails again, whose letter then tells the new failure. New events of the
    order meanwhile go to the end of its letters, so none overtakes. Raises Unavailable: what is left stays parked.
    """

    consumer: Consumer
    store: ConsumerStore
    letters: DeadLetters
    decode: Decode
    clock: Clock

    async def __call__(self, order_id: str | None = None, *, error: str | None = None) -> Redriven:
        """The letters of one order, or of all of this consumer's; with ``error``, where the first has that class."""
        blocking = await self.letters.blocking(self.consumer.name, error=error)
        orders = [letter.record.order_id for letter in blocking if order_id in (None, letter.record.order_id)]
        events, unparked, stopped = 0, [], []
        for parked in orders:
            handled, failed = await self._order(parked)
            events += handled
            if failed is None:
                unparked.append(parked)
            else:
                stopped.append(failed)
        return Redriven(events=events, unparked=tuple(unparked), stopped=tuple(stopped))

    async def _order(self, order_id: str) -> tuple[int, DeadLetter | None]:
        """How many events were handled, and the letter that failed again, if one did."""
        handled = 0
        while True:
            letter: DeadLetter | None = None
            began = perf_counter()
            try:
                if isinstance(self.consumer, OutsideConsumer):
                    async with self.store(self.consumer.name) as work:
                        letter = await work.dead_letters.first(order_id)
                    if letter is None:
                        return handled, None
                    await self.consumer.tell([self._opened(letter)])
                told = letter
                async with self.store(self.consumer.name) as work:
                    letter = await work.dead_letters.first(order_id)
                    if letter is None:
                        return handled, None
                    if told is not None and told.record != letter.record:
                        continue  # another redrive was here; this letter is told next
                    await self.consumer.handle([self._opened(letter)], work)
                    last = await work.dead_letters.remove(letter)
            except Unavailable:
                raise
            except Exception as failure:
                if letter is None:
                    raise
                return handled, await self._failed(letter.failed_again(failure, self.clock()))
            handled += 1
            said = {"consumer": self.consumer.name, "attempt": letter.attempts + 1}
            logger.info("handled", extra={**about(letter.record), **said, "duration": perf_counter() - began})
            if last:
                return handled, None

    def _opened(self, letter: DeadLetter) -> Delivery:
        return Delivery(letter.record, self.decode(letter.record))

    async def _failed(self, letter: DeadLetter) -> DeadLetter:
        said = {"consumer": self.consumer.name, "attempt": letter.attempts, "error": letter.error}
        logger.warning("event failed again", extra={**about(letter.record), **said})
        async with self.store(self.consumer.name) as work:
            first = await work.dead_letters.first(letter.record.order_id)
            if first is not None and first.record.sequence == letter.record.sequence:
                await work.dead_letters.keep([letter])
        return letter
