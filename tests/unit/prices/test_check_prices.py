"""A new order is placed at listed prices only, which are read once for many orders, and never refused for old ones."""

import asyncio
from decimal import Decimal

import pytest
from attrs import evolve
from orderflow.adapters.memory.prices import MemoryPriceLists
from orderflow.application.orders.batching import Batching
from orderflow.application.orders.price_authority import TrustPrices
from orderflow.application.prices import check_prices
from orderflow.application.prices.check_prices import FRESH_SECONDS, ListedPrices
from orderflow.application.prices.ports import PriceLists
from orderflow.domain.errors import PricesRefused, StorageUnavailable
from orderflow.domain.order import Order
from orderflow.domain.prices import Price
from pytest_mock import MockerFixture

from tests.unit.domain.actors import ADMIN, AT, CUSTOMER, RESTAURANT, eur, line, place

PIZZA = Price(item_id="food-001", name="Pizza Margherita", price=eur("12.50"))
DEARER = evolve(PIZZA, price=eur("13.00"))


class Counter:
    """Price lists in memory that count how often they are asked."""

    def __init__(self) -> None:
        self.lists = MemoryPriceLists()
        self.reads: list[int] = []
        self.now = 0.0
        self.prices = ListedPrices(self, Batching(), lambda: self.now)  # type: ignore[arg-type]

    async def find(self, items):  # type: ignore[no-untyped-def]
        self.reads.append(len(items))
        await asyncio.sleep(0)
        return await self.lists.find(items)

    async def set(self, *prices: Price, restaurant_id: str = "R1") -> None:
        await self.lists.change(restaurant_id, prices, at=AT)


@pytest.fixture
async def counted() -> Counter:
    counter = Counter()
    await counter.set(PIZZA)
    return counter


def order(price: str = "12.50", *, restaurant_id: str = "R1", discount: str = "0") -> Order:
    lines = (line(price, discount=discount),)
    return place(lines=lines, total=None, restaurant_id=restaurant_id).order


async def test_every_price_is_trusted_by_default() -> None:
    await TrustPrices().check(order("0.01"), by=CUSTOMER)


@pytest.mark.parametrize("by", [CUSTOMER, RESTAURANT, ADMIN], ids=str)
async def test_an_order_at_the_listed_price_is_accepted_of_everybody(counted: Counter, by) -> None:  # type: ignore[no-untyped-def]
    await counted.prices.check(order(), by=by)

    with pytest.raises(PricesRefused) as refused:
        await counted.prices.check(order("12.49"), by=by)
    assert refused.value.lines[0].price == Decimal("12.50")


async def test_a_discount_is_for_the_restaurant_and_admins(counted: Counter) -> None:
    discounted = order(discount="24.99")

    for by in (RESTAURANT, ADMIN):
        await counted.prices.check(discounted, by=by)

    with pytest.raises(PricesRefused, match="discount_not_permitted"):
        await counted.prices.check(discounted, by=CUSTOMER)


async def test_the_prices_of_another_restaurant_do_not_count(counted: Counter) -> None:
    await counted.set(evolve(PIZZA, item_id="secret"), restaurant_id="R2")

    with pytest.raises(PricesRefused) as refused:
        await counted.prices.check(order(restaurant_id="R2"), by=CUSTOMER)

    assert refused.value.lines[0].name is None
    assert "12.50" not in str(refused.value)


async def test_orders_of_many_restaurants_that_wait_together_each_have_their_own_prices(counted: Counter) -> None:
    await counted.set(DEARER, restaurant_id="R2")
    orders = [order("12.50"), order("13.00", restaurant_id="R2"), order("13.00"), order("12.50", restaurant_id="R2")]

    outcomes = await asyncio.gather(
        *(counted.prices.check(each, by=CUSTOMER) for each in (order(), *orders)), return_exceptions=True
    )

    assert [it is None for it in outcomes] == [True, True, True, False, False]


async def test_orders_within_a_second_read_a_price_once(counted: Counter) -> None:
    for _ in range(5):
        await counted.prices.check(order(), by=CUSTOMER)
        counted.now += FRESH_SECONDS / 10

    counted.now += FRESH_SECONDS
    await counted.prices.check(order(), by=CUSTOMER)

    assert counted.reads == [1, 1]


async def test_orders_that_wait_share_one_query(counted: Counter) -> None:
    await asyncio.gather(*(counted.prices.check(order(), by=CUSTOMER) for _ in range(50)))

    assert len(counted.reads) <= 3


async def test_an_order_at_a_new_price_is_not_refused_for_an_old_one(counted: Counter) -> None:
    await counted.prices.check(order(), by=CUSTOMER)
    await counted.set(DEARER)

    await counted.prices.check(order("13.00"), by=CUSTOMER)

    with pytest.raises(PricesRefused):
        await counted.prices.check(order("12.50"), by=CUSTOMER)


async def test_an_old_price_is_accepted_for_a_second_at_most(counted: Counter) -> None:
    await counted.prices.check(order(), by=CUSTOMER)
    await counted.set(DEARER)

    await counted.prices.check(order(), by=CUSTOMER)

    counted.now += FRESH_SECONDS
    with pytest.raises(PricesRefused):
        await counted.prices.check(order(), by=CUSTOMER)


async def test_a_process_that_changes_a_price_forgets_the_old_one(counted: Counter) -> None:
    await counted.prices.check(order(), by=CUSTOMER)
    await counted.set(DEARER)

    counted.prices.forget()

    with pytest.raises(PricesRefused):
        await counted.prices.check(order(), by=CUSTOMER)


async def test_what_is_remembered_has_a_bound(counted: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_prices, "MOST_KNOWN", 10)
    for number in range(30):
        await counted.set(PIZZA, restaurant_id=f"R{number}")
        await counted.prices.check(order(restaurant_id=f"R{number}"), by=CUSTOMER)

        assert len(counted.prices._known) <= 10


async def test_every_order_that_waits_learns_that_the_storage_does_not_answer(mocker: MockerFixture) -> None:
    lists = mocker.create_autospec(PriceLists, instance=True, spec_set=True)
    lists.find.side_effect = StorageUnavailable("postgresql", "no route to host")
    prices = ListedPrices(lists)

    outcomes = await asyncio.gather(*(prices.check(order(), by=CUSTOMER) for _ in range(3)), return_exceptions=True)

    assert [type(it) for it in outcomes] == [StorageUnavailable] * 3
