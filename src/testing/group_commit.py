"""The promises of group commit, on every storage."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from attrs import evolve

from ..application.orders.batching import Batching, BatchObservation
from ..application.orders.change_order import ChangeOrder
from ..application.orders.group_commit import GroupCommit
from ..application.orders.group_read import GroupRead
from ..application.orders.idempotency import IdempotencyRecord, StoredResponse
from ..application.orders.unit_of_work import WriteSetUnitOfWork
from ..application.orders.write_set import WriteSet
from ..domain.errors import ConcurrentChange, EventTooLarge, OrderNotFound, RequestAnswered
from ..domain.events import OrderCreated
from ..domain.order import Change
from .orders import ADMIN, AT, place, placed

MANY = 60


class GroupCommitContract:
    """Subclassed with ``storage``, empty and open. ``waits``: a commit waits for something outside of the process."""

    waits = True

    async def test_callers_at_the_same_time_share_transactions(self, storage: Any) -> None:
        batches: list[BatchObservation] = []
        commit = GroupCommit(storage.committer, Batching(preparation=0, observe=batches.append))

        outcomes = await _all(commit.commit(_new(f"O{number}")) for number in range(MANY))

        assert outcomes == [None] * MANY
        assert [batch.size for batch in batches] == ([1, MANY - 1] if self.waits else [1] * MANY)
        assert len(await storage.views.get_all([f"O{number}" for number in range(MANY)])) == MANY
        assert sum((await storage.log.heads()).values()) == MANY

    async def test_a_group_has_no_more_members_than_its_size(self, storage: Any) -> None:
        batches: list[BatchObservation] = []
        commit = GroupCommit(storage.committer, Batching(size=20, preparation=0, observe=batches.append))

        await _all(commit.commit(_new(f"O{number}")) for number in range(MANY))

        assert [batch.size for batch in batches] == ([1, 20, 20, 19] if self.waits else [1] * MANY)

    async def test_each_caller_is_answered_for_itself(self, storage: Any) -> None:
        for number in range(0, MANY, 2):
            await placed(storage, f"O{number}")
        commit = GroupCommit(storage.committer)

        outcomes = await _all(commit.commit(_new(f"O{number}")) for number in range(MANY))

        refused = [type(outcome) for outcome in outcomes]
        assert refused == [ConcurrentChange, type(None)] * (MANY // 2)
        assert sum((await storage.log.heads()).values()) == MANY

    async def test_a_taken_key_and_a_large_event_fail_only_their_callers(self, storage: Any) -> None:
        commit = GroupCommit(storage.committer)
        await commit.commit(_new("O1", key="K1"))
        sets = [_new("O2"), _new("O3", key="K1"), _new("O4", key="K4"), _too_large("O5"), _new("O6")]

        outcomes = await _all(commit.commit(writes) for writes in [_new("O0"), *sets])

        refused = [(n, type(it)) for n, it in enumerate(outcomes) if it is not None]
        assert refused == [(2, RequestAnswered), (4, EventTooLarge)]
        assert sorted(await storage.views.get_all([f"O{n}" for n in range(7)])) == ["O0", "O1", "O2", "O4", "O6"]
        assert sum((await storage.log.heads()).values()) == 5

    async def test_of_two_requests_with_one_key_in_a_group_the_second_is_answered_already(self, storage: Any) -> None:
        commit = GroupCommit(storage.committer)

        outcomes = await _all(
            commit.commit(it) for it in (_new("O0"), _new("O1", key="K"), _new("O2", key="K"), _new("O3", key="L"))
        )

        assert [type(it) for it in outcomes] == [type(None), type(None), RequestAnswered, type(None)]
        with pytest.raises(OrderNotFound):
            await storage.views.get("O2")

    async def test_commands_for_one_order_in_one_group_follow_each_other(self, storage: Any) -> None:
        await placed(storage, "O1")
        work = WriteSetUnitOfWork(committer=GroupCommit(storage.committer), read=GroupRead(storage.views))
        changing = ChangeOrder(work)

        async def failed_payment() -> Change:
            return await changing("O1", lambda o: o.record_payment(paid=False, by=ADMIN, at=AT), by=ADMIN)

        changes = await asyncio.gather(*(failed_payment() for _ in range(8)))

        versions = sorted(change.order.version for change in changes)
        assert versions == list(range(2, 10))
        assert [record.sequence for record in await storage.log.history("O1")] == list(range(1, 10))


async def _all(calls: Any) -> list[BaseException | None]:
    """Run the calls in the order given, all waiting at once. Returns None or the error of each."""
    tasks: list[Awaitable[None]] = [asyncio.ensure_future(call) for call in calls]
    return await asyncio.gather(*tasks, return_exceptions=True)


def _new(order_id: str, *, key: str = "") -> WriteSet:
    change = place(id=order_id)
    writes = WriteSet(events=[*change.events])
    writes.save(change.order)
    if key:
        response = StoredResponse(fingerprint="f", body=b"{}", order_id=order_id)
        writes.idempotency = IdempotencyRecord(caller="customer:C1", key=key, response=response)
    return writes


def _too_large(order_id: str) -> WriteSet:
    writes = _new(order_id)
    writes.events = [
        evolve(event, restaurant_id="R" * 1_100_000) for event in writes.events if isinstance(event, OrderCreated)
    ]
    return writes
