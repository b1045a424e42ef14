"""The promises of every order repository."""

from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from orderflow.domain.errors import OrderNotFound
from orderflow.domain.order import Change
from orderflow.domain.payment import PaymentMethod
from orderflow.domain.refund import Refunds
from orderflow.domain.validation import Address

from tests.contracts.orders import commit, placed, unit_of_work
from tests.unit.domain.actors import ADMIN, AT, REASON, eur, line, place, tale


class OrderRepositoryContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_an_order_comes_back_as_it_was_saved(self, storage: Any) -> None:
        address = Address(street="Läufergasse 3", city="Wien", postal_code="1010", note="2. Stock, „Huber“")
        lines = (line("2.50", food_id="a"), line("3", 3, "0.5", "b"))
        change = place(PaymentMethod.CREDIT_CARD, address=address, lines=lines)

        await commit(storage, change)

        assert await storage.views.get("O1") == change.order

    async def test_every_field_that_an_order_gets_in_its_life_is_kept(self, storage: Any) -> None:
        await placed(storage)

        for step in (
            lambda o: o.assign_shipper("S1", by=ADMIN, at=AT + timedelta(minutes=1)),
            lambda o: o.send_out(by=ADMIN, at=AT + timedelta(minutes=2)),
            lambda o: o.deliver(by=ADMIN, at=AT + timedelta(minutes=30, microseconds=7)),
        ):
            async with unit_of_work(storage)() as work:
                change = step(await work.orders.get("O1"))
                work.orders.save(change.order)
                work.events.publish(*change.events)

            assert await storage.views.get("O1") == change.order

    async def test_a_cancelled_order_keeps_why_and_by_whom_and_no_shipper(self, storage: Any) -> None:
        order = await placed(storage)
        assigned = order.assign_shipper("S1", by=ADMIN, at=AT).order

        async with unit_of_work(storage)() as work:
            await work.orders.get("O1")
            change = assigned.cancel(REASON, by=ADMIN, at=AT)
            work.orders.save(change.order)

        kept = await storage.views.get("O1")
        assert (kept.cancel_reason, kept.cancelled_by, kept.shipper_id) == (REASON, ADMIN.id, None)

    async def test_amounts_keep_their_digits(self, storage: Any) -> None:
        order = await placed(storage, lines=(line("25.50", 1, "0.0"),), total=eur("999999999.9900"))

        kept = await storage.views.get("O1")

        assert str(kept.lines[0].price.amount) == "25.50"
        assert str(kept.lines[0].discount.amount) == "0.0"
        assert str(kept.total.amount) == str(order.total.amount) == "999999999.9900"

    async def test_times_come_back_in_utc_to_the_microsecond(self, storage: Any) -> None:
        elsewhere = (AT + timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=7)))

        await placed(storage, at=elsewhere)

        kept = await storage.views.get("O1")
        assert kept.created_at.isoformat() == "2024-01-01T12:00:00.000001+00:00"

    @pytest.mark.parametrize("order_id", ["O2", "o1", "", "O1 ", "nul\0", "\ud800", "ö" * 10, "x" * 100_000])
    async def test_an_order_that_is_not_there_is_not_found(self, storage: Any, order_id: str) -> None:
        await placed(storage)

        with pytest.raises(OrderNotFound) as told:
            await storage.views.get(order_id)

        assert told.value.id == order_id
        async with unit_of_work(storage)() as work:
            with pytest.raises(OrderNotFound):
                await work.orders.get(order_id)

    async def test_the_amounts_of_its_refunds_are_kept(self, storage: Any) -> None:
        life = tale("delivered S1", "card paid").refund_asked("5.50")
        await commit(storage, Change(life.order, life.events))
        after = life.refund_asked("10").refund_answered("5.50").refund_answered("10", made=False).refund_asked("2.25")
        asked = await storage.views.get("O1")

        async with unit_of_work(storage)() as work:
            await work.orders.get("O1")
            work.orders.save(after.order)

        kept = await storage.views.get("O1")
        assert asked.payment.refunds == Refunds(requested=Decimal("5.50"))
        assert kept == after.order
        assert kept.payment.refunds == Refunds(
            requested=Decimal("2.25"), declined=Decimal(10), paid_back=Decimal("5.50")
        )
