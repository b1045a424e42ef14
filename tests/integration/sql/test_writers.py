"""Many processes write one database at once, as far as engines of their own can show it in one process."""

import asyncio
from random import Random

import pytest
from attrs import evolve
from orderflow.adapters import wire
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.engines import IDLE_SECONDS, LOCK_SECONDS
from orderflow.adapters.sql.idempotency import idempotency_keys
from orderflow.adapters.sql.tokens import tokens
from orderflow.application.event_log.records import bucket_of
from orderflow.application.orders.idempotency import IdempotencyKey
from orderflow.application.orders.write_set import WriteSet
from orderflow.domain.errors import ConcurrentChange
from orderflow.domain.order import Change
from orderflow.domain.validation import Address
from orderflow.testing.event_log import Follower
from orderflow.testing.orders import commit, in_bucket, placed
from sqlalchemy import delete, insert, select, text

from tests.integration.sql.conftest import Connect
from tests.integration.sql.silent import silent_while_another_writes
from tests.support.waiting import eventually_async
from tests.unit.domain.actors import ADMIN, AT, line, place


async def test_transactions_over_many_buckets_do_not_deadlock(postgresql_url: str, connect: Connect) -> None:
    storages = [connect(postgresql_url) for _ in range(4)]
    for storage in storages:
        await storage.open()
    there = [order_id for bucket in range(20) for order_id in in_bucket(bucket, 40)]

    async def write(number: int) -> None:
        """A new order of each bucket, in an order of its own."""
        mine = there[number::40]
        shuffled = Random(number).sample(mine, len(mine))
        await commit(storages[number % 4], *(place(id=order_id) for order_id in shuffled))

    await asyncio.gather(*(write(number) for number in range(40)))

    assert await storages[0].log.heads() == dict.fromkeys(range(20), 40)


async def test_a_writer_that_hangs_loses_its_lock_on_a_bucket(postgresql_url: str, connect: Connect) -> None:
    silent = connect(f"{postgresql_url}?idle_in_transaction_session_timeout=200ms")
    other = connect(postgresql_url)
    await other.open()

    await silent_while_another_writes(silent, other)

    assert await other.log.heads() == {bucket_of("O1"): 1}


async def test_a_request_that_waits_for_its_idempotency_key_locks_no_bucket(
    postgresql_url: str, connect: Connect
) -> None:
    storage = connect(f"{postgresql_url}?application_name=waiting")
    await storage.open()
    first, second = in_bucket(7, 2)
    key = IdempotencyKey(caller="C1", key="k1", fingerprint="", render=lambda _: b"")

    async with connect(postgresql_url).engine.connect() as rival:
        # Another transaction has inserted the same key, and does not commit.
        row = {"caller": "C1", "key": "k1", "fingerprint": "", "order_id": "o", "response": b"", "created_at": AT}
        await rival.execute(insert(idempotency_keys).values(row))
        waiting = asyncio.create_task(placed(storage, first, idempotency=key))
        await _waits(storage, "waiting")
        await placed(storage, second)
        others = await storage.log.heads()
    await waiting

    follower = Follower(storage)
    while await follower.step():
        pass
    assert others == {7: 1}
    assert (follower.seen, follower.faults) == (2, [])


async def test_every_connection_has_a_lock_timeout_and_an_idle_timeout(postgresql_url: str, connect: Connect) -> None:
    async with connect(postgresql_url).database.reading() as connection:
        waits, silent = [
            await connection.scalar(text(f"SHOW {name}"))
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]

    assert (waits, silent) == (f"{LOCK_SECONDS}s", f"{IDLE_SECONDS}s")


async def test_two_storages_on_one_sqlite_file_wait_for_each_other(sqlite_url: str, connect: Connect) -> None:
    storages = [connect(sqlite_url), connect(sqlite_url)]
    for storage in storages:
        await storage.open()

    await asyncio.gather(*(_placed_in(storage, f"{n}-") for n, storage in enumerate(storages)))

    follower = Follower(storages[0])
    while await follower.step():
        pass
    assert (follower.seen, follower.faults) == (20, [])


async def test_a_sqlite_transaction_that_reads_first_has_the_write_lock_from_the_beginning(
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


async def test_of_sets_in_one_transaction_the_conflicting_one_is_named_and_none_commits(
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


async def test_texts_of_orders_and_events_are_stored_as_they_are(url: str, connect: Connect) -> None:
    storage = connect(url)
    await storage.open()
    strange = '\\x41 \\001 {"a", NULL} \u00fc\U0001f355 \'; --'
    address = Address(street=strange, city="\u65b0\u5bbf")
    named = place(id="O1", lines=(evolve(line(), food_name=strange),), address=address)
    cancelled = place(id="O2").order.cancel(strange, by=ADMIN, at=AT)

    await commit(storage, named, Change(evolve(cancelled.order, version=1)))
    await commit(storage, place(id="O3"))

    found = await storage.views.get_all(["O1", "O2", "O3"])
    assert found["O1"] == named.order
    assert found["O2"].cancel_reason == strange
    assert (found["O3"].shipper_id, found["O3"].address, found["O3"].cancel_reason) == (None, None, None)
    [record] = await storage.log.history("O1")
    assert wire.decode_record(record) == named.events[0]
    assert (record.correlation_id, record.traceparent) == ("", "")


async def test_zeros_and_empty_texts_are_distinguished_from_nothing(url: str, connect: Connect) -> None:
    storage = connect(url)
    await storage.open()
    nothing, zero = place(id="O1").order, evolve(place(id="O2").order, delivery_minutes=0, cancel_reason="")

    await commit(storage, Change(nothing), Change(zero))

    found = await storage.views.get_all(["O1", "O2"])
    assert (found["O1"].delivery_minutes, found["O1"].cancel_reason) == (None, None)
    assert (found["O2"].delivery_minutes, found["O2"].cancel_reason) == (0, "")


async def test_a_value_with_the_separator_of_columns_is_refused_and_nothing_is_written(
    postgresql_url: str, connect: Connect
) -> None:
    storage = connect(postgresql_url)
    await storage.open()
    strange = evolve(place(id="O1").order, cancel_reason="a\x1fb")

    with pytest.raises(ValueError, match="control character"):
        await storage.committer.commit_together([_set("O2"), WriteSet(orders={"O1": strange}, expected={"O1": 0})])

    assert await storage.views.get_all(["O1", "O2"]) == {}
    assert await storage.log.heads() == {}


async def _waits(storage: SqlStorage, application: str) -> None:
    """Wait until a statement of that application waits for another transaction."""
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name AND wait_event_type = 'Lock'")
    async with storage.database.reading() as connection:
        await eventually_async(lambda: connection.scalar(asked, {"name": application}), that=f"{application} waits")


async def _placed_in(storage: SqlStorage, prefix: str) -> None:
    await asyncio.gather(*(placed(storage, f"{prefix}{number}") for number in range(10)))


def _set(order_id: str) -> WriteSet:
    change = place(id=order_id)
    writes = WriteSet()
    writes.save(change.order)
    writes.events.extend(change.events)
    return writes
