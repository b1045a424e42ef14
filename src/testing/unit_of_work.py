"""The promises of every unit of work."""

import asyncio
from typing import Any

import pytest
from attrs import evolve

from ..application.orders.group_commit import GroupCommit
from ..application.orders.write_set import WriteSet
from ..domain.errors import ConcurrentChange, OrderFlowError, OrderNotFound
from .orders import (
    ADMIN,
    AT,
    assigned,
    commit,
    failed_payments,
    in_bucket,
    keep,
    place,
    placed,
    save_and_fail,
    unit_of_work,
)


class UnitOfWorkContract:
    """Subclassed with ``storage``, empty and open, and ``commits``, a list that grows with each commit notification."""

    async def test_an_exception_inside_commits_nothing(self, storage: Any, commits: list[None]) -> None:
        with pytest.raises(ZeroDivisionError):
            await save_and_fail(unit_of_work(storage), place())

        with pytest.raises(OrderNotFound):
            await storage.views.get("O1")
        assert await storage.log.heads() == {}
        assert commits == []

    async def test_a_commit_with_events_is_notified_once(self, storage: Any, commits: list[None]) -> None:
        await placed(storage)

        async with unit_of_work(storage)() as work:
            work.orders.save(await work.orders.get("O1"))

        assert len(commits) == 1

    async def test_an_order_is_created_once(self, storage: Any, commits: list[None]) -> None:
        first = await placed(storage)

        with pytest.raises(ConcurrentChange) as refused:
            await placed(storage, customer_id="C2")

        assert (refused.value.order_id, refused.value.version) == ("O1", 0)
        assert await storage.views.get("O1") == first
        assert len(await storage.log.history("O1")) == len(commits) == 1

    async def test_a_stale_order_is_refused_with_all_its_events(self, storage: Any) -> None:
        await placed(storage)

        async def too_late() -> None:
            async with unit_of_work(storage)() as work:
                change = (await work.orders.get("O1")).assign_shipper("S2", by=ADMIN, at=AT)
                await assigned(storage, "O1", "S1")
                keep(work, change)

        with pytest.raises(ConcurrentChange) as refused:
            await too_late()

        assert (refused.value.order_id, refused.value.version) == ("O1", 1)
        assert (await storage.views.get("O1")).shipper_id == "S1"
        assert [record.sequence for record in await storage.log.history("O1")] == [1, 2, 3]

    async def test_an_order_that_was_read_and_is_gone_is_not_made_anew(self, storage: Any) -> None:
        never = place().order
        writes = WriteSet()
        writes.loaded(never)
        writes.save(evolve(never, version=2))

        with pytest.raises(ConcurrentChange):
            await GroupCommit(storage.committer).commit(writes)

        with pytest.raises(OrderNotFound):
            await storage.views.get("O1")

    async def test_several_orders_commit_together(self, storage: Any) -> None:
        await commit(storage, *(place(id=f"O{number}") for number in range(20)))

        for number in range(20):
            assert (await storage.views.get(f"O{number}")).version == 1
        assert sum((await storage.log.heads()).values()) == 20

    async def test_one_stale_order_keeps_all_others_from_being_committed(self, storage: Any) -> None:
        old = await placed(storage, "O5")
        await placed(storage, "O7")

        async def one_too_many() -> None:
            async with unit_of_work(storage)() as work:
                change = (await work.orders.get("O5")).assign_shipper("S1", by=ADMIN, at=AT)
                keep(work, change, place(id="O3"), place(id="O7"), place(id="O9"))

        with pytest.raises(ConcurrentChange) as refused:
            await one_too_many()

        assert refused.value.order_id == "O7"
        assert await storage.views.get("O5") == old
        for number in (3, 9):
            with pytest.raises(OrderNotFound):
                await storage.views.get(f"O{number}")
        assert sum((await storage.log.heads()).values()) == 2

    async def test_of_concurrent_changes_of_one_order_none_is_lost(self, storage: Any) -> None:
        await placed(storage)

        await asyncio.gather(*(assigned(storage, "O1", f"S{number}") for number in range(8)))

        history = await storage.log.history("O1")
        assert [record.sequence for record in history] == list(range(1, 11))
        assert (await storage.views.get("O1")).version == 10

    async def test_positions_are_dense_however_many_commit_at_once(self, storage: Any) -> None:
        ids = [*in_bucket(7, 12), *in_bucket(8, 12)]

        async def live(order_id: str) -> None:
            await placed(storage, order_id)
            await assigned(storage, order_id, "S1")
            await failed_payments(storage, order_id, 2)

        await asyncio.gather(*(live(order_id) for order_id in ids))

        heads = await storage.log.heads()
        records = await storage.log.read(dict.fromkeys(heads, 0), limit=10_000)
        assert len(records) == len(ids) * 5
        for bucket, head in heads.items():
            assert [record.position for record in records if record.bucket == bucket] == list(range(1, head + 1))
        for order_id in ids:
            assert [record.sequence for record in records if record.order_id == order_id] == [1, 2, 3, 4, 5]

    async def test_of_concurrent_creations_of_one_order_one_succeeds(self, storage: Any) -> None:
        outcomes = await asyncio.gather(
            *(placed(storage, customer_id=f"C{number}") for number in range(8)), return_exceptions=True
        )

        refused = [outcome for outcome in outcomes if isinstance(outcome, OrderFlowError)]
        assert len(refused) == 7
        assert {type(each) for each in refused} == {ConcurrentChange}
        assert len(await storage.log.history("O1")) == 1
