"""Designs that lose, double or reorder, as others have built them: what the campaign must catch to prove anything.

Each is a process made of one other part; nothing in ``src`` knows of them.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from attrs import define, field, frozen
from orderflow.application.consuming.consumer import BatchResult, Consumer
from orderflow.application.event_log.records import Delivery, LogRecord, UnrecognizedRecord
from orderflow.application.noop import noop
from orderflow.application.recovery.epochs import BEGINNING, Epochs
from orderflow.application.relay.ports import OnFlushed
from orderflow.domain.errors import Unavailable
from orderflow.testing.crash_points import STREAM, CrashPoints

from .crash_point_adapters import NumberedEffects, NumberedWork
from .installation import Installation, Parts
from .topic import TopicWithGroups


@frozen
class CommitBeforeEffect(Parts):
    """A consumer that commits its cursor, and then has its effects."""

    def effects(self, effects: Any, crash_points: CrashPoints) -> Any:
        return _CursorFirst(effects, crash_points)


@frozen
class _CursorFirst(NumberedEffects):
    @asynccontextmanager
    async def store(self, consumer: str) -> AsyncIterator[Any]:
        async with AsyncExitStack() as transaction:

            async def begin() -> NumberedWork:
                await transaction.aclose()
                return await transaction.enter_async_context(NumberedEffects.store(self, consumer))

            yield _TwoTransactions(await begin(), begin)


@define(eq=False)
class _TwoTransactions:
    work: NumberedWork
    begin: Callable[[], Any]

    async def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        await self.work.advance(moves)
        self.work = await self.begin()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.work, name)


@frozen
class NoCursorGuard(Parts):
    """A consumer that goes by its group's offset, and handles whatever is delivered to it."""

    def effects(self, effects: Any, crash_points: CrashPoints) -> Any:
        return _Unguarded(effects, crash_points)

    def handling(self, handle_batch: Any, consumer: Consumer, effects: Any) -> Any:
        return _Believing(handle_batch)


@frozen
class _Unguarded(NumberedEffects):
    @asynccontextmanager
    async def store(self, consumer: str) -> AsyncIterator[Any]:
        async with NumberedEffects.store(self, consumer) as work:
            yield _FromAnywhere(work, dict(await self.inner.cursors.positions(consumer)))


@frozen
class _FromAnywhere:
    work: NumberedWork
    at: Mapping[int, int]

    async def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        at = {bucket: self.at.get(bucket, 0) for bucket in moves}
        await self.work.advance({bucket: (at[bucket], max(at[bucket], to)) for bucket, (_, to) in moves.items()})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.work, name)


@frozen
class _Believing:
    handle_batch: Any

    async def __call__(self, records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        before = {it.bucket: it.position - 1 for it in reversed(records) if isinstance(it, LogRecord)}
        self.handle_batch.handle_batch._positions = before
        handled: BatchResult = await self.handle_batch(records)
        return handled


@frozen
class RetryTopic(Parts):
    """A consumer that puts what failed on a topic of its own, goes on, and handles it later."""

    def handling(self, handle_batch: Any, consumer: Consumer, effects: Any) -> Any:
        return _Later(handle_batch, consumer, effects)


@define(eq=False)
class _Later:
    handle_batch: Any
    consumer: Consumer
    effects: Any
    retries: list[LogRecord] = field(factory=list, init=False)

    async def __call__(self, records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        try:
            handled: BatchResult = await self.handle_batch(records)
        except Unavailable:
            failed, *others = records
            assert isinstance(failed, LogRecord)
            async with self.effects.store(self.consumer.name) as work:
                await work.advance({failed.bucket: (failed.position - 1, failed.position)})
            self.retries.append(failed)
            return await self(others) if others else BatchResult(events=1)
        decode = self.handle_batch.handle_batch.decode
        while self.retries:
            async with self.effects.store(self.consumer.name) as work:
                await self.consumer.handle([Delivery(self.retries[0], decode(self.retries[0]))], work)
            del self.retries[0]
        return handled


@frozen
class OffsetsOutside(Parts):
    """A relay that publishes in one transaction, and commits its cursors in another."""

    def relay_topic(self, installation: Installation, crash_points: CrashPoints) -> Any:
        return _RecordsThenCursors(installation.topic, crash_points)


@define(eq=False)
class _Relaying:
    topic: TopicWithGroups
    crash_points: CrashPoints

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        self.crash_points.enter(self.crash_points.stage)
        with self.crash_points.crossing("topic.cursors", STREAM):
            return await self.topic.cursors(epochs)

    async def checksums(self) -> Mapping[int, int]:
        """None, as before there were any: or the relay itself would see what is wrong with it."""
        return {}

    async def close(self) -> None:
        """Nothing is held."""


@define(eq=False)
class _RecordsThenCursors(_Relaying):
    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        with self.crash_points.crossing("topic.publish", STREAM):
            self.topic.records.extend(records)
        with self.crash_points.crossing("topic.commit the cursors", STREAM):
            self.topic._cursors.update({record.bucket: record.position for record in records})


@frozen
class KeepsItsCursor(Parts):
    """A relay that goes on from where it had come to in memory, after a transaction that was aborted."""

    def relay_topic(self, installation: Installation, crash_points: CrashPoints) -> Any:
        return _RemembersAll(installation.topic, crash_points)


@define(eq=False)
class _RemembersAll(_Relaying):
    at: dict[int, int] = field(factory=dict, init=False)

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        return {**await _Relaying.cursors(self, epochs), **self.at}

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        self.at.update({record.bucket: record.position for record in records})
        with self.crash_points.crossing("topic.publish", STREAM):
            await self.topic.publish(records, on_flushed)
