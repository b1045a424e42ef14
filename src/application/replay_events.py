"""A consumer handles events of the past again, up to where it stands."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import define, field, frozen

from ..domain.errors import NotConfigured
from .by_halves import by_halves
from .consuming import Consumer, ConsumerStore, ConsumerWork, OutsideConsumer
from .log import Delivery, LogRecord
from .ports import Clock, Cursors, Decode, EventLog
from .ports_of_consumers import DeadLetters
from .repairs import Repair, RepairKind, Repairs
from .replaying import Concerned, Missing, Reading, Replayed, ReplayStart, Stopped, concerned
from .rollout import Word

logger = logging.getLogger("orderflow.repair")


Progress = Callable[[int, int], None]
"""Told of so many events that are done, of so many."""


def unseen(_: int, __: int) -> None:
    """Nobody looks on."""


@frozen(kw_only=True)
class ReplayEvents:
    """Gives ``consumer`` again what it has behind it. Its cursors stay where they are, so it goes on meanwhile.

    Each batch is a transaction that holds the cursors of its buckets: it has its turn among the consumer's own, and
    finds no event that the consumer has not passed. What an event has brought about already stays as it is; what is
    missing is made up for. An order stops at an event that fails, one that is parked before the event that parked it,
    and a bucket where the source lacks an event; all others go on. Begun again it comes to the same.
    A consumer that does something outside of every transaction is told each event alone, again.
    """

    consumer: Consumer
    store: ConsumerStore
    cursors: Cursors
    letters: DeadLetters
    log: EventLog
    sources: Mapping[str, Reading]
    repairs: Repairs
    decode: Decode
    clock: Clock
    buckets: int

    async def dry_run(self, start: ReplayStart, *, source: str = "log") -> Replayed:
        """What there is to do; nothing is done or noted. Raises as the call does."""
        replay = await self._begin(start, source)
        blocking = {letter.record.order_id: letter for letter in await self.letters.blocking(self.consumer.name)}
        async for records in self._source(source)(replay.wanted, start.order_id):
            for record in replay.next(records):
                letter = blocking.get(record.order_id)
                replay.parked += letter is not None and letter.record.sequence <= record.sequence
        return replay.told(dry_run=True)

    async def __call__(
        self,
        start: ReplayStart,
        *,
        by: str,
        why: str,
        source: str = "log",
        progress: Progress = unseen,
    ) -> Replayed:
        """Raises InvalidInput, OrderNotFound; NotConfigured for a source that there is not; Unavailable.

        After the last one, what is not done yet is done when it is asked for again.
        """
        replay = await self._begin(start, source)
        word = Word(by=by, why=why, at=self.clock())
        what = f"from {start} by the {source}: {replay.events} events"
        await self.repairs.note(Repair(kind=RepairKind.REPLAY, consumer=self.consumer.name, what=what, word=word))
        commit = replay.counting(self._commit)
        async for records in self._source(source)(replay.wanted, start.order_id):
            batch = replay.next(records)
            # One event a batch, where what was done outside cannot be taken back.
            for part in [[it] for it in batch] if isinstance(self.consumer, OutsideConsumer) else [batch]:
                await by_halves(part, commit, replay.stopped)
            progress(replay.passed, replay.events)
        done = replay.told()
        said = {"consumer": done.consumer, "events": done.handled, "stopped": len(done.stopped)}
        logger.info("replayed", extra=said)
        return done

    def _source(self, name: str) -> Reading:
        if name not in self.sources:
            raise NotConfigured(f"there is no {name} to read from here", f"read from the {' or '.join(self.sources)}")
        return self.sources[name]

    async def _begin(self, start: ReplayStart, source: str) -> "_Replay":
        self._source(source)
        at = await self.cursors.positions(self.consumer.name)
        wanted = await concerned(start, self.log, at, self.buckets)
        return _Replay(self.consumer.name, source, wanted)

    async def _commit(self, records: Sequence[LogRecord]) -> int:
        """How many of them are parked."""
        opened = [Delivery(record, self.decode(record)) for record in records]
        if isinstance(self.consumer, OutsideConsumer):
            async with self.store(self.consumer.name) as work:
                free = await _free(opened, work)
            if free:
                await self.consumer.tell(free)
            return len(opened) - len(free)
        async with self.store(self.consumer.name) as work:
            await work.hold({record.bucket for record in records})
            if free := await _free(opened, work):
                await self.consumer.handle(free, work)
        return len(opened) - len(free)


async def _free(deliveries: Sequence[Delivery], work: ConsumerWork) -> Sequence[Delivery]:
    """Those that come before the first letter of their order, if it has any."""
    parked = await work.dead_letters.parked({delivery.record.order_id for delivery in deliveries})
    blocking = {order_id: await work.dead_letters.first(order_id) for order_id in sorted(parked)}
    firsts = {order_id: letter.record.sequence for order_id, letter in blocking.items() if letter is not None}
    return [it for it in deliveries if it.record.sequence < firsts.get(it.record.order_id, it.record.sequence + 1)]


@define(eq=False)
class _Replay:
    """One replay under way: how far it has come in each bucket, and what came of it."""

    consumer: str
    source: str
    wanted: Concerned
    handled: int = 0
    parked: int = 0
    stopped: dict[str, Stopped] = field(factory=dict)
    _done: dict[int, int] = field(factory=dict)
    _closed: set[int] = field(factory=set)
    _orders: set[str] = field(factory=set)

    @property
    def events(self) -> int:
        return sum(len(positions) for positions in self.wanted.values())

    @property
    def passed(self) -> int:
        return sum(self._done.values())

    def next(self, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """Those of ``records`` that are wanted, up to the first in each bucket before which one is missing."""
        found = []
        for record in records:
            wanted, done = self.wanted.get(record.bucket, ()), self._done.get(record.bucket, 0)
            if record.bucket in self._closed or done == len(wanted) or record.position < wanted[done]:
                continue
            if record.position == wanted[done]:
                self._done[record.bucket] = done + 1
                self._orders.add(record.order_id)
                found.append(record)
            elif record.position in wanted:
                self._closed.add(record.bucket)
        return found

    def counting(
        self, commit: Callable[[Sequence[LogRecord]], Awaitable[int]]
    ) -> Callable[[Sequence[LogRecord]], Awaitable[None]]:
        """``commit``, which says how many events are parked, with its outcome counted."""

        async def counted(records: Sequence[LogRecord]) -> None:
            parked = await commit(records)
            self.parked += parked
            self.handled += len(records) - parked

        return counted

    def told(self, *, dry_run: bool = False) -> Replayed:
        reached = {bucket: self._done.get(bucket, 0) for bucket in self.wanted}
        missing = [
            Missing(bucket=bucket, position=self.wanted[bucket][done])
            for bucket, done in sorted(reached.items())
            if done < len(self.wanted[bucket])
        ]
        return Replayed(
            consumer=self.consumer,
            source=self.source,
            dry_run=dry_run,
            events=self.events,
            orders=len(self._orders),
            handled=self.handled,
            parked=self.parked,
            stopped=tuple(self.stopped.values()),
            missing=tuple(missing),
        )
