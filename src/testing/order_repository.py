"""The promises of every order repository."""

from collections.abc import Callable, Sequence
from datetime import timedelta, timezone
from decimal import Decimal

import pytest

from ..application.orders.ports import UnitOfWork
from ..domain.errors import ConcurrentChange, OrderNotFound
from ..domain.order import Change, Order
from ..domain.payment import PaymentMethod
from ..domain.refund import RefundBearer, Refunds
from ..domain.validation import Address
from .orders import ADMIN, AT, REASON, eur, keep, line, place, save, save_and_fail


async def stored(work: UnitOfWork, order_id: str = "O1") -> Order:
    """Return the order as a new unit of work reads it."""
    async with work() as transaction:
        return await transaction.orders.get(order_id)


@pytest.mark.asyncio
class OrderRepositoryContract:
    """Subclassed with a fixture ``unit_of_work``, whose transactions have the repository as ``orders``; it is empty."""

    async def test_an_order_comes_back_as_it_was_saved(self, unit_of_work: UnitOfWork) -> None:
        address = Address(street="Läufergasse 3", city="Wien", postal_code="1010", note="2. Stock, „Huber“")
        lines = (line("2.50", food_id="a"), line("3", 3, "0.5", "b"))
        change = place(PaymentMethod.CREDIT_CARD, address=address, lines=lines)

        await save(unit_of_work, change)

        assert await stored(unit_of_work) == change.order

    async def test_every_field_that_an_order_gets_in_its_life_is_kept(self, unit_of_work: UnitOfWork) -> None:
        await save(unit_of_work, place())

        steps: Sequence[Callable[[Order], Change]] = (
            lambda o: o.assign_shipper("S1", by=ADMIN, at=AT + timedelta(minutes=1)),
            lambda o: o.send_out(by=ADMIN, at=AT + timedelta(minutes=2)),
            lambda o: o.deliver(by=ADMIN, at=AT + timedelta(minutes=30, microseconds=7)),
        )
        for step in steps:
            async with unit_of_work() as work:
                change = step(await work.orders.get("O1"))
                keep(work, change)

            assert await stored(unit_of_work) == change.order

    async def test_a_cancelled_order_keeps_why_and_by_whom_and_no_shipper(self, unit_of_work: UnitOfWork) -> None:
        await save(unit_of_work, place())

        async with unit_of_work() as work:
            assigned = (await work.orders.get("O1")).assign_shipper("S1", by=ADMIN, at=AT)
            change = assigned.order.cancel(REASON, by=ADMIN, at=AT)
            work.orders.save(change.order)
            work.events.publish(*assigned.events, *change.events)

        kept = await stored(unit_of_work)
        assert (kept.cancel_reason, kept.cancelled_by, kept.shipper_id) == (REASON, ADMIN.id, None)

    async def test_amounts_keep_their_digits(self, unit_of_work: UnitOfWork) -> None:
        change = place(lines=(line("25.50", 1, "0.0"),), total=eur("999999999.9900"))

        await save(unit_of_work, change)

        kept = await stored(unit_of_work)
        assert str(kept.lines[0].price.amount) == "25.50"
        assert str(kept.lines[0].discount.amount) == "0.0"
        assert str(kept.total.amount) == str(change.order.total.amount) == "999999999.9900"

    async def test_times_come_back_in_utc_to_the_microsecond(self, unit_of_work: UnitOfWork) -> None:
        elsewhere = (AT + timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=7)))

        await save(unit_of_work, place(at=elsewhere))

        kept = await stored(unit_of_work)
        assert kept.created_at.isoformat() == "2024-01-01T12:00:00.000001+00:00"

    @pytest.mark.parametrize("order_id", ["O2", "o1", "", "O1 ", "nul\0", "\ud800", "ö" * 10, "x" * 100_000])
    async def test_an_order_that_is_not_there_is_not_found(self, unit_of_work: UnitOfWork, order_id: str) -> None:
        await save(unit_of_work, place())

        with pytest.raises(OrderNotFound) as raised:
            await stored(unit_of_work, order_id)

        assert raised.value.id == order_id

    async def test_an_order_is_not_seen_before_the_end(self, unit_of_work: UnitOfWork) -> None:
        async with unit_of_work() as work:
            keep(work, place())
            with pytest.raises(OrderNotFound):
                await stored(unit_of_work)

        assert (await stored(unit_of_work)).version == 1

    async def test_an_exception_inside_saves_nothing(self, unit_of_work: UnitOfWork) -> None:
        with pytest.raises(ZeroDivisionError):
            await save_and_fail(unit_of_work, place())

        with pytest.raises(OrderNotFound):
            await stored(unit_of_work)

    async def test_a_new_order_whose_id_is_taken_is_refused(self, unit_of_work: UnitOfWork) -> None:
        first = place()
        await save(unit_of_work, first)

        with pytest.raises(ConcurrentChange) as refused:
            await save(unit_of_work, place(customer_id="C2"))

        assert (refused.value.order_id, refused.value.version) == ("O1", 0)
        assert await stored(unit_of_work) == first.order

    async def test_an_order_that_changed_since_it_was_read_is_refused(self, unit_of_work: UnitOfWork) -> None:
        await save(unit_of_work, place())

        async def too_late() -> None:
            async with unit_of_work() as work:
                mine = (await work.orders.get("O1")).assign_shipper("S2", by=ADMIN, at=AT)
                async with unit_of_work() as other:
                    theirs = (await other.orders.get("O1")).assign_shipper("S1", by=ADMIN, at=AT)
                    keep(other, theirs)
                keep(work, mine)

        with pytest.raises(ConcurrentChange) as refused:
            await too_late()

        assert (refused.value.order_id, refused.value.version) == ("O1", 1)
        assert (await stored(unit_of_work)).shipper_id == "S1"

    async def test_several_orders_are_saved_together_or_not_at_all(self, unit_of_work: UnitOfWork) -> None:
        await save(unit_of_work, place(id="O2"))

        with pytest.raises(ConcurrentChange):
            await save(unit_of_work, place(id="O1"), place(id="O2"), place(id="O3"))
        await save(unit_of_work, place(id="O4"), place(id="O5"))

        for order_id in ("O1", "O3"):
            with pytest.raises(OrderNotFound):
                await stored(unit_of_work, order_id)
        assert [(await stored(unit_of_work, order_id)).version for order_id in ("O2", "O4", "O5")] == [1, 1, 1]

    async def test_an_order_that_did_not_change_may_be_saved(self, unit_of_work: UnitOfWork) -> None:
        change = place()
        await save(unit_of_work, change)

        async with unit_of_work() as work:
            work.orders.save(await work.orders.get("O1"))

        assert await stored(unit_of_work) == change.order

    async def test_the_amounts_of_its_refunds_are_kept(self, unit_of_work: UnitOfWork) -> None:
        order = place(PaymentMethod.CREDIT_CARD).order.record_payment(paid=True, by=ADMIN, at=AT).order
        by, platform, courier = ADMIN, RefundBearer.PLATFORM, RefundBearer.COURIER
        request = order.request_refund(eur("5.50"), "cold", borne_by=platform, by=by, at=AT)
        after = request.order.answer_refund(eur("5.50"), made=True, at=AT).order
        after = after.request_refund(eur("10"), "cold", borne_by=platform, by=by, at=AT).order
        after = after.answer_refund(eur("10"), made=False, at=AT).order
        after = after.request_refund(eur("2.25"), "cold", borne_by=courier, by=by, at=AT).order
        await save(unit_of_work, Change(request.order))

        kept_first = await stored(unit_of_work)
        async with unit_of_work() as work:
            await work.orders.get("O1")
            work.orders.save(after)

        kept = await stored(unit_of_work)
        assert kept_first.payment.refunds == Refunds(requested=Decimal("5.50"))
        assert kept == after
        assert kept.payment.refunds == Refunds(
            requested=Decimal("2.25"), declined=Decimal(10), paid_back=Decimal("5.50")
        )
