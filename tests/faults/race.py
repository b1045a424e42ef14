"""Many writers on a few hot orders while a reader follows the log, which must miss nothing and keep the order."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, Protocol

import asyncpg
from attrs import define, field, frozen
from orderflow.adapters.memory import MemoryTopic
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.database import POSTGRESQL
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.orders.idempotency import IdempotencyKey
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.domain.errors import ConcurrentChange
from orderflow.testing.orders import in_bucket, placed, unit_of_work

from tests.unit.domain.actors import ADMIN, AT

BUCKETS = (7, 8)
HOT_ORDERS = tuple(order_id for bucket in BUCKETS for order_id in in_bucket(bucket, 10))


@frozen
class Read:
    """An event as a reader met it."""

    bucket: int
    position: int
    order_id: str
    sequence: int


class Reader(Protocol):
    seen: list[Read]

    async def step(self) -> int:
        """Read what is new; how many events."""
        ...


@define
class Relay:
    """The shipped relay, from the shipped log to a topic in RAM."""

    publish: PublishPending
    topic: MemoryTopic
    seen: list[Read] = field(factory=list, init=False)

    @classmethod
    def of(cls, storage: SqlStorage) -> "Relay":
        topic = MemoryTopic()
        return cls(PublishPending(storage.log, topic, storage.cursors), topic)

    async def step(self) -> int:
        news = await self.publish()
        self.seen += [Read(r.bucket, r.position, r.order_id, r.sequence) for r in self.topic.records[len(self.seen) :]]
        return news


@define
class Race:
    """``writers`` change HOT_ORDERS through ``storages``, which notify ``news``, until there are so many ``events``.

    Each at random, but the same for the same ``seed``: one order under an idempotency key or several in one
    transaction, one event of each or some; a change that is refused; and on PostgreSQL a transaction that takes
    positions and is rolled back, or whose connection breaks. All of it ends once ``enough`` says so, which is asked
    whenever something was read.
    """

    storages: Sequence[SqlStorage]
    news: LocalWakeup
    reader: Reader
    writers: int
    events: int
    seed: int = 1
    enough: Callable[[], bool] = lambda: False
    done: Counter[str] = field(factory=Counter, init=False)
    written: int = field(default=0, init=False)
    _over: bool = field(default=False, init=False)

    async def __call__(self) -> None:
        """Until all is written and read; a reader that misses something is waited for in vain, and not for long."""
        for order_id in HOT_ORDERS:
            await placed(self.storages[0], order_id)
        self.written = len(HOT_ORDERS)
        async with asyncio.TaskGroup() as all_of_them:
            all_of_them.create_task(self._read())
            for number in range(self.writers):
                all_of_them.create_task(self._write(number))
        while await self.reader.step():
            pass

    async def _read(self) -> None:
        news = self.news.listener()
        while self.written < self.events and not self._over:
            if await self.reader.step():
                self._over = self.enough()
            else:
                await news.wait(0.05)

    async def _write(self, number: int) -> None:
        storage, chance = self.storages[number % len(self.storages)], Random(self.seed * 1000 + number)
        turns: list[tuple[str, Callable[[SqlStorage, Random], Awaitable[int]]]] = [
            ("keyed", self._keyed),
            ("several orders", self._several),
            ("refused", self._refused),
        ]
        weights = [10, 4, 1]
        if storage.database.backend == POSTGRESQL:
            turns += [("rolled back", self._rolled_back), ("broken off", self._broken_off)]
            weights += [1, 1]
        while self.written < self.events and not self._over:
            [(name, turn)] = chance.choices(turns, weights)
            wrote = await turn(storage, chance)
            self.written += wrote
            self.done[name] += 1

    async def _keyed(self, storage: SqlStorage, chance: Random) -> int:
        key = IdempotencyKey(caller="race", key=f"{chance.getrandbits(64):x}", fingerprint="", render=lambda _: b"")
        return await self._change(storage, [chance.choice(HOT_ORDERS)], chance.randint(2, 8), key)

    async def _several(self, storage: SqlStorage, chance: Random) -> int:
        return await self._change(storage, chance.sample(HOT_ORDERS, chance.randint(2, 3)), chance.randint(2, 4))

    async def _change(
        self, storage: SqlStorage, order_ids: Sequence[str], each: int, key: IdempotencyKey | None = None
    ) -> int:
        """So many events more of ``each`` order, in one transaction; asked again until it goes through."""
        while True:
            try:
                async with unit_of_work(storage)(idempotency=key) as work:
                    for order_id in order_ids:
                        order = await work.orders.get(order_id)
                        for _ in range(each):
                            change = order.record_payment(paid=False, by=ADMIN, at=AT)
                            work.events.publish(*change.events)
                            order = change.order
                        work.orders.save(order)
                return len(order_ids) * each
            except ConcurrentChange:
                self.done["asked again"] += 1

    async def _refused(self, storage: SqlStorage, chance: Random) -> int:
        """An order that is there already, together with one that would have been new."""
        try:
            async with unit_of_work(storage)() as work:
                there = await work.orders.get(chance.choice(HOT_ORDERS))
                change = there.record_payment(paid=False, by=ADMIN, at=AT)
                await self._change(storage, [there.id], 1)
                self.written += 1
                work.orders.save(change.order)
                work.events.publish(*change.events)
        except ConcurrentChange:
            return 0
        raise AssertionError("a stale order was saved")

    async def _rolled_back(self, storage: SqlStorage, chance: Random) -> int:
        async with storage.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            transaction = driver.transaction()
            await transaction.start()
            await _take(driver, chance)
            await transaction.rollback()
        return 0

    async def _broken_off(self, storage: SqlStorage, chance: Random) -> int:
        """The writer dies while it holds a bucket."""
        async with storage.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.execute("BEGIN")
            await _take(driver, chance)
            driver.terminate()
            await connection.invalidate()
        return 0


async def _take(driver: asyncpg.Connection, chance: Random) -> None:
    """Positions of a bucket, as a commit takes them."""
    await driver.execute("UPDATE log_heads SET position = position + 3 WHERE bucket = $1", chance.choice(BUCKETS))


async def linger(storage: SqlStorage) -> None:
    """Have every commit on PostgreSQL take some milliseconds after its positions are there, so that others overtake."""
    if storage.database.backend != POSTGRESQL:
        return
    async with storage.database.writing() as connection:
        for statement in (
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(random() * 0.002); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON order_events "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()",
        ):
            await connection.exec_driver_sql(statement)


@frozen
class Verdict:
    """Of so many events ``compared``: which a reader never met, and which came at another's place."""

    compared: int
    missed: int
    out_of_order: int

    def __str__(self) -> str:
        return f"{self.missed} missed, {self.out_of_order} out of order of {self.compared} events"

    @property
    def clean(self) -> bool:
        return self.missed == 0 and self.out_of_order == 0


async def verdict(storage: SqlStorage, seen: Sequence[Read], *, dense: bool = True) -> Verdict:
    """``seen`` against all that is committed; ``dense`` where the reader goes by positions within buckets."""
    committed = set()
    async with storage.database.reading() as connection:
        rows = await connection.exec_driver_sql("SELECT bucket, position, order_id, sequence FROM order_events")
        committed = {Read(*row) for row in rows}
    return Verdict(len(committed), len(committed - set(seen)), out_of_order(seen, dense=dense))


def out_of_order(seen: Sequence[Read], *, dense: bool = True) -> int:
    """Count events that did not follow the one before, in their order or, if positions are dense, in their bucket."""
    return OutOfOrder(dense).count(seen)


@define
class OutOfOrder:
    """Counts along with a reader that goes on."""

    dense: bool
    faults: int = field(default=0, init=False)
    _looked_at: int = field(default=0, init=False)
    _positions: dict[int, int] = field(factory=lambda: defaultdict(int), init=False)
    _sequences: dict[str, int] = field(factory=lambda: defaultdict(int), init=False)

    def count(self, seen: Sequence[Read]) -> int:
        """Those among all that were ``seen``; it has only grown since the last time."""
        for it in seen[self._looked_at :]:
            in_bucket_order = not self.dense or it.position == self._positions[it.bucket] + 1
            if not in_bucket_order or it.sequence != self._sequences[it.order_id] + 1:
                self.faults += 1
            self._positions[it.bucket], self._sequences[it.order_id] = it.position, it.sequence
        self._looked_at = len(seen)
        return self.faults
