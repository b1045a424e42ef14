"""The price authority is asked when an order is placed, and never about an order that is there."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from orderflow import Money, Order, OrderFlow, OrderLine, Price, PricesRefused, Settings
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.errors import NotPermitted, OrderExists
from orderflow.domain.payment import PaymentMethod

from tests.unit.domain.actors import ADMIN, CUSTOMER, OTHER_CUSTOMER, OTHER_RESTAURANT, eur

PIZZA = Price(item_id="F1", name="Pizza", price=eur("12.50"))
DEARER = evolve(PIZZA, price=eur("13.00"))


@pytest.fixture
async def flow() -> AsyncIterator[OrderFlow]:
    async with OrderFlow.open(Settings(database_url="memory://", prices="list")) as flow:
        await flow.prices.change.set("R1", PIZZA, by=ADMIN)
        yield flow


def new(order_id: str = "O1", price: str = "12.50", **changes: Any) -> NewOrder:
    pizza = OrderLine(food_id="F1", food_name="Pizza", price=eur(price), quantity=2, discount=Money.zero("EUR"))
    return NewOrder(
        customer_id="C1",
        restaurant_id="R1",
        lines=[pizza],
        payment_method=PaymentMethod.CASH,
        currency="EUR",
        order_id=order_id,
        **changes,
    )


async def test_by_default_the_caller_sets_the_prices_of_an_order() -> None:
    async with OrderFlow.in_memory() as flow:
        order = await flow.use_cases.create_order(new(price="0.01"), by=CUSTOMER)

    assert order.total == eur("0.02")


@pytest.mark.parametrize("by", [CUSTOMER, ADMIN], ids=str)
async def test_an_order_at_another_price_is_refused_and_nothing_is_stored(flow: OrderFlow, by) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PricesRefused) as refused:
        await flow.use_cases.create_order(new(price="0.01"), by=by)

    assert (refused.value.code, refused.value.lines[0].price) == ("prices_refused", Decimal("12.50"))
    assert (await flow.list_orders()).orders == ()
    assert await flow.use_cases.create_order(new(), by=by)


async def test_an_order_that_is_placed_again_after_a_change_keeps_its_first_answer(flow: OrderFlow) -> None:
    first = await flow.use_cases.create_order(new(), by=CUSTOMER)
    await flow.prices.change.set("R1", DEARER, by=ADMIN)

    again = await flow.use_cases.create_order(new(), by=CUSTOMER)

    assert again == first
    with pytest.raises(OrderExists):
        await flow.use_cases.create_order(new(price="13.00"), by=CUSTOMER)
    with pytest.raises(PricesRefused):
        await flow.use_cases.create_order(new("O2"), by=CUSTOMER)


async def test_an_order_that_another_request_placed_meanwhile_is_returned_not_refused(
    flow: OrderFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = flow.container.price_authority()
    create, placed = flow.use_cases.create_order, list[Order]()

    async def overtaken(order: Order, *, by: object) -> None:
        monkeypatch.undo()
        placed.append(await create(new(), by=CUSTOMER))
        raise PricesRefused("R1", ())

    monkeypatch.setattr(type(prices), "check", lambda self, order, *, by: overtaken(order, by=by))
    order = await create(new(), by=CUSTOMER)

    assert [order] == placed


async def test_who_may_not_order_there_learns_no_price(flow: OrderFlow) -> None:
    for stranger in (OTHER_CUSTOMER, OTHER_RESTAURANT):
        with pytest.raises(NotPermitted) as refused:
            await flow.use_cases.create_order(new(price="0.01"), by=stranger)

        assert "12.50" not in str(refused.value)
