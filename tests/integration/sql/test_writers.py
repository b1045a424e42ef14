"""Many processes write one database at once, as far as engines of their own can show it in one process."""

import asyncio
from collections import Counter

from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.tables import tokens
from orderflow.application.write_set import WriteSet
from orderflow.domain.errors import ConcurrentChange
from sqlalchemy import delete, select

from tests.contracts.event_log import Follower
from tests.contracts.orders import failed_payments, in_bucket, placed
from tests.integration.sql.conftest import Connect
from tests.unit.domain.cast import place

HOT_ORDERS = [*in_bucket(7, 10), *in_bucket(8, 10)]


async def test_a_reader_misses_nothing_of_sixteen_writers_on_twenty_hot_orders(
    postgresql_url: str, connect: Connect
) -> None:
    engines = [connect(postgresql_url, pool_size=4) for _ in range(4)]
    for storage in engines:
        await storage.open()
    for order_id in HOT_ORDERS:
        await placed(engines[0], order_id)
    follower = Follower(engines[0])

    done = await _all_writing(engines, follower, writers=16, changes=30)

    assert done == 16 * 30
    assert follower.faults == []
    assert follower.seen == len(HOT_ORDERS) + done
    assert follower.positions == await engines[0].log.heads()
    assert sum(follower.positions.values()) == follower.seen


async def test_two_storages_on_one_sqlite_file_wait_for_each_other(sqlite_url: str, connect: Connect) -> None:
    storages = [connect(sqlite_url), connect(sqlite_url)]
    for storage in storages:
        await storage.open()

    await asyncio.gather(*(_placed_in(storage, f"{n}-") for n, storage in enumerate(storages)))

    follower = Follower(storages[0])
    while await follower.step():
        pass
    assert (follower.seen, follower.faults) == (20, [])


async def test_a_sqlite_transaction_that_reads_before_it_writes_has_the_lock_from_the_beginning(
    sqlite_url: str, connect: Connect
) -> None:
    ours, theirs = connect(sqlite_url), connect(sqlite_url)
    await ours.open()
    await theirs.open()

    async with ours.database.writing() as connection:
        await connection.execute(select(tokens))
        other = asyncio.create_task(placed(theirs))
        await asyncio.wait({other}, timeout=0.2)
        there_already = other.done()
        await connection.execute(delete(tokens))

    await other
    assert not there_already


async def test_write_sets_can_share_a_transaction(url: str, connect: Connect) -> None:
    storage = connect(url)
    await storage.open()

    refusals = await storage.committer.commit_together([_set("O1"), _set("O2"), _set("O3")])

    assert refusals == [None, None, None]
    assert sum((await storage.log.heads()).values()) == 3


async def test_of_sets_that_share_a_transaction_the_one_that_is_late_is_named_and_none_commits(
    url: str, connect: Connect
) -> None:
    storage = connect(url)
    await storage.open()
    await placed(storage, "O2")

    first, late, last = await storage.committer.commit_together([_set("O1"), _set("O2"), _set("O3")])

    assert (first, last) == (None, None)
    assert isinstance(late, ConcurrentChange)
    assert late.order_id == "O2"
    assert sum((await storage.log.heads()).values()) == 1


async def _all_writing(engines: list[SqlStorage], follower: Follower, *, writers: int, changes: int) -> int:
    """Every writer goes round the hot orders, each beginning at another; how many changes went through."""
    done: Counter[str] = Counter()

    async def write(number: int) -> None:
        storage = engines[number % len(engines)]
        for turn in range(changes):
            order_id = HOT_ORDERS[(number + turn) % len(HOT_ORDERS)]
            await _until_through(storage, order_id)
            done[order_id] += 1

    following = asyncio.create_task(follower.until(len(HOT_ORDERS) + writers * changes, deadline=120))
    await asyncio.gather(*(write(number) for number in range(writers)))
    await following
    return done.total()


async def _until_through(storage: SqlStorage, order_id: str) -> None:
    while True:
        try:
            await failed_payments(storage, order_id, 1)
        except ConcurrentChange:
            continue
        return


async def _placed_in(storage: SqlStorage, prefix: str) -> None:
    await asyncio.gather(*(placed(storage, f"{prefix}{number}") for number in range(10)))


def _set(order_id: str) -> WriteSet:
    change = place(id=order_id)
    writes = WriteSet()
    writes.save(change.order)
    writes.events.extend(change.events)
    return writes
