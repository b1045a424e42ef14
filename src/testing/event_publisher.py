"""The promises of every event publisher."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from ..application.orders.change_order import ChangeOrder
from ..application.orders.ports import UnitOfWork
from ..domain.errors import ConcurrentChange
from ..domain.events import OrderEvent
from .orders import ADMIN, AT, keep, place, save, save_and_fail

Published = Callable[[], Awaitable[Sequence[OrderEvent]]]
"""Returns everything that was published, in its order, as a reader of the other side gets it."""


@pytest.mark.asyncio
class EventPublisherContract:
    """Subclassed with ``unit_of_work``, whose transactions have the publisher as ``events``, and ``published``.

    Nothing is published before. ``published`` may wait until what was committed has arrived.
    """

    async def test_events_are_published_in_their_order_once_the_work_is_committed(
        self, unit_of_work: UnitOfWork, published: Published
    ) -> None:
        await save(unit_of_work, place())
        await _assign(unit_of_work, "O1", "S1")

        seen = await published()

        assert [(event.order_id, event.sequence, event.type) for event in seen] == [
            ("O1", 1, "order.created"),
            ("O1", 2, "order.shipper_assigned"),
            ("O1", 3, "order.state_changed"),
        ]

    async def test_an_event_arrives_as_it_was_published(self, unit_of_work: UnitOfWork, published: Published) -> None:
        change = place()

        await save(unit_of_work, change)

        assert list(await published()) == list(change.events)

    async def test_events_of_several_calls_keep_their_order(
        self, unit_of_work: UnitOfWork, published: Published
    ) -> None:
        created = place()
        assigned = created.order.assign_shipper("S1", by=ADMIN, at=AT)

        async with unit_of_work() as work:
            work.orders.save(assigned.order)
            for event in (*created.events, *assigned.events):
                work.events.publish(event)

        assert [event.sequence for event in await published()] == [1, 2, 3]

    async def test_nothing_is_published_before_the_end(self, unit_of_work: UnitOfWork, published: Published) -> None:
        async with unit_of_work() as work:
            keep(work, place())
            before = await published()

        assert list(before) == []
        assert len(await published()) == 1

    async def test_an_exception_inside_publishes_nothing(self, unit_of_work: UnitOfWork, published: Published) -> None:
        with pytest.raises(ZeroDivisionError):
            await save_and_fail(unit_of_work, place())

        assert list(await published()) == []

    async def test_a_change_that_is_refused_publishes_nothing(
        self, unit_of_work: UnitOfWork, published: Published
    ) -> None:
        await save(unit_of_work, place())

        with pytest.raises(ConcurrentChange):
            await save(unit_of_work, place(customer_id="C2"))

        assert [event.customer_id for event in await published()] == ["C1"]

    async def test_work_without_events_publishes_nothing(self, unit_of_work: UnitOfWork, published: Published) -> None:
        await save(unit_of_work, place())

        async with unit_of_work() as work:
            work.orders.save(await work.orders.get("O1"))
            work.events.publish()

        assert len(await published()) == 1

    async def test_each_orders_events_stay_in_sequence_however_many_commit_at_once(
        self, unit_of_work: UnitOfWork, published: Published
    ) -> None:
        orders = [f"O{number}" for number in range(20)]

        async def live(order_id: str) -> None:
            await save(unit_of_work, place(id=order_id))
            await _assign(unit_of_work, order_id, "S1")

        await asyncio.gather(*map(live, orders))

        seen = await published()
        assert len(seen) == 3 * len(orders)
        for order_id in orders:
            assert [event.sequence for event in seen if event.order_id == order_id] == [1, 2, 3]


async def _assign(work: UnitOfWork, order_id: str, shipper_id: str) -> None:
    await ChangeOrder(work)(order_id, lambda order: order.assign_shipper(shipper_id, by=ADMIN, at=AT), by=ADMIN)
