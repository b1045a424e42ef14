"""The promises of every store of idempotent responses."""

import asyncio
from typing import Any

import pytest

from ..adapters.memory import idempotency as memory_idempotency
from ..adapters.sql import idempotency as sql_idempotency
from ..application.orders.idempotency import IdempotencyKey, StoredResponse
from ..application.orders.payment_attempts import AttemptKind, PaymentAttempt
from ..domain.errors import ConcurrentChange, OrderNotFound, RequestAnswered
from ..domain.order import Order
from .orders import AT, place, placed, unit_of_work


class IdempotencyContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_the_response_is_stored_with_the_order(self, storage: Any) -> None:
        await placed(storage, idempotency=_key("k1"))

        answer = await storage.answers.find("customer:C1", "k1")

        assert answer == StoredResponse(fingerprint="print", body=b"O1 at 1\x00", order_id="O1")

    async def test_a_key_has_one_response_and_nothing_of_the_second_request_is_stored(self, storage: Any) -> None:
        await placed(storage, "O1", idempotency=_key("k1"))

        with pytest.raises(RequestAnswered) as refused:
            await placed(storage, "O2", idempotency=_key("k1"))

        assert refused.value.key == "k1"
        with pytest.raises(OrderNotFound):
            await storage.views.get("O2")
        assert await storage.log.history("O2") in ((), [])
        assert (await storage.answers.find("customer:C1", "k1")).order_id == "O1"

    async def test_a_key_belongs_to_its_caller(self, storage: Any) -> None:
        for caller, order_id in (("customer:C1", "O1"), ("customer:C2", "O2")):
            await placed(storage, order_id, idempotency=_key("k1", caller))

        assert (await storage.answers.find("customer:C2", "k1")).order_id == "O2"

    async def test_a_refused_change_leaves_its_key_free(self, storage: Any) -> None:
        await placed(storage)

        with pytest.raises(ConcurrentChange):
            await placed(storage, idempotency=_key("k1"))

        assert await storage.answers.find("customer:C1", "k1") is None
        await placed(storage, "O2", idempotency=_key("k1"))

    async def test_a_request_that_changes_nothing_has_a_response_too(self, storage: Any) -> None:
        await placed(storage)

        async with unit_of_work(storage)(idempotency=_key("k1")) as work:
            work.orders.save(await work.orders.get("O1"))

        assert (await storage.answers.find("customer:C1", "k1")).body == b"O1 at 1\x00"

    async def test_a_unit_of_work_that_saves_no_order_leaves_its_key_free(self, storage: Any) -> None:
        order = place().order
        refund = PaymentAttempt(
            key="O1:refund", order_id="O1", number=0, kind=AttemptKind.REFUND, amount=order.total, requested_at=AT
        )
        await placed(storage)

        async with unit_of_work(storage)(idempotency=_key("k1")) as work:
            work.payments.record(refund)

        assert await storage.attempts.of_order("O1") == [refund]
        assert await storage.answers.find("customer:C1", "k1") is None

    async def test_of_concurrent_requests_with_one_key_one_commits(self, storage: Any) -> None:
        async def request(order_id: str) -> None:
            await placed(storage, order_id, idempotency=_key("k1"))

        outcomes = await asyncio.gather(*(request(f"O{n}") for n in range(6)), return_exceptions=True)

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] + ["RequestAnswered"] * 5
        assert sum((await storage.log.heads()).values()) == 1

    async def test_old_responses_are_deleted(self, storage: Any) -> None:
        for number in range(2):
            await placed(storage, f"O{number}", idempotency=_key(f"k{number}"))
        moment = await storage.now()
        await placed(storage, "O2", idempotency=_key("k2"))

        forgotten = await storage.answers.delete_before(moment)

        assert forgotten == 2
        assert await storage.answers.find("customer:C1", "k1") is None
        assert await storage.answers.find("customer:C1", "k2") is not None

    async def test_old_responses_are_deleted_in_steps(self, storage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        for adapter in (memory_idempotency, sql_idempotency):
            monkeypatch.setattr(adapter, "DELETED_AT_ONCE", 2)
        for number in range(3):
            await placed(storage, f"O{number}", idempotency=_key(f"k{number}"))
        moment = await storage.now()

        steps = [await storage.answers.delete_before(moment) for _ in range(3)]

        assert steps == [2, 1, 0]


def _key(key: str, caller: str = "customer:C1") -> IdempotencyKey:
    def render(order: Order) -> bytes:
        return f"{order.id} at {order.version}\0".encode()

    return IdempotencyKey(caller=caller, key=key, fingerprint="print", render=render)
