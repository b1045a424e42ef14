"""The promises of analytics, on every storage."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ...application.analytics.analyse import Analyse
from ...application.analytics.figures import DeliveryTimes, MinuteSales, RestaurantSales, Span
from ...application.analytics.order_progress import OrderProgress
from ...application.consuming.consumer import BatchResult
from ...domain.lifecycle import OrderState
from ...domain.money import Money
from .shop import Shop
from .world import World


@pytest.mark.asyncio
class AnalyticsContract:
    """Subclassed with a fixture ``world``."""

    async def test_the_figures_add_up(self, world: World) -> None:
        shop = Shop()
        shop.clock.now = shop.clock.now.replace(minute=0, second=50)
        await shop.order("o1", {"F1": 3}, price="0.10")
        await shop.order("o2", {"F1": 1}, price="2.05", restaurant_id="R2")
        shop.clock.forward(minutes=1)
        await shop.order("o3", {"F1": 1}, price="7.00", restaurant_id="R2")
        await shop.order("o4", {"F1": 1}, price="500", currency="JPY")
        await shop.call_off("o3", "no time")
        await world.handling()(await shop.records())
        views = world.effects.analytics
        start = shop.clock.now.replace(minute=0, second=0)

        by_minute = await views.per_minute(start, start + timedelta(minutes=2))
        first_minute = await views.per_minute(start, start + timedelta(minutes=1))
        by_restaurant = await views.per_restaurant()

        second = "R2"
        of_one = {
            "minutes": [(each.minute, each.orders) for each in await views.per_minute(start, shop.clock.now, second)],
            "restaurants": {each.restaurant_id for each in await views.per_restaurant(second)},
            "states": {state.value: many for state, many in (await views.by_state(second)).items() if many},
            "cancellations": (await views.cancellations(second), await views.cancellations("nobody")),
            "times": [each.orders for each in await views.time_in_states(second)],
            "deliveries": (await views.delivery_times(second)).orders,
        }

        minute = start.replace(second=0)
        assert of_one == {
            "minutes": [(minute, 1), (minute + timedelta(minutes=1), 1)],
            "restaurants": {"R2"},
            "states": {"waiting_for_shipper": 1, "cancelled": 1},
            "cancellations": ({"no time": 1}, {}),
            "times": [1],
            "deliveries": 0,
        }
        later, second_minute = Span(minute + timedelta(minutes=1)), Span(minute + timedelta(minutes=1), shop.clock.now)
        before = Span(end=minute + timedelta(minutes=1))
        assert [(each.restaurant_id, each.orders) for each in await views.per_restaurant(span=before)] == [
            ("R1", 1),
            ("R2", 1),
        ]
        assert [(each.currency, each.orders) for each in await views.per_restaurant("R2", later)] == [("EUR", 1)]
        assert await views.cancellations(span=before) == {}
        assert await views.cancellations(span=later) == {"no time": 1}
        assert [each.orders for each in await views.time_in_states(span=later)] == [1]
        assert await views.time_in_states(span=before) == []
        assert sum((await views.by_state(span=second_minute)).values()) == 2
        assert (await views.delivery_times(span=before)).orders == 0
        assert by_minute == [
            MinuteSales(minute=minute, **_sales("EUR", 2, 0, "2.35", "2.35")),
            MinuteSales(minute=minute + timedelta(minutes=1), **_sales("EUR", 1, 1, "7.00", "0")),
            MinuteSales(minute=minute + timedelta(minutes=1), **_sales("JPY", 1, 0, "500", "500")),
        ]
        assert first_minute == by_minute[:1]
        assert by_restaurant == [
            RestaurantSales(restaurant_id="R1", **_sales("EUR", 1, 0, "0.30", "0.30")),
            RestaurantSales(restaurant_id="R1", **_sales("JPY", 1, 0, "500", "500")),
            RestaurantSales(restaurant_id="R2", **_sales("EUR", 2, 1, "9.05", "2.05")),
        ]
        assert all(isinstance(it.gross_revenue, Decimal) for it in by_minute)

    async def test_revenue_has_no_limit(self, world: World) -> None:
        at, largest = world.clock(), Money(Decimal("999999999999.9999"), "EUR")
        orders = [
            OrderProgress(
                order_id=f"o{number}",
                restaurant_id="R1",
                total=largest,
                created_at=at,
                state=OrderState.PREPARING,
                since=at,
            )
            for number in range(1000)
        ]
        async with world.effects.store("analytics") as work:
            await work.analytics.keep(orders)

        [sales] = await world.effects.analytics.per_restaurant()

        assert (sales.gross_revenue, sales.net_revenue) == (largest.amount * 1000, largest.amount * 1000)

    async def test_the_first_and_the_last_minute_are_counted_in_part(self, world: World) -> None:
        shop = Shop()
        shop.clock.now = minute = shop.clock.now.replace(second=0, microsecond=0)
        for order_id in ("o10", "o20", "o30", "o40", "o50"):
            shop.clock.now = minute + timedelta(seconds=int(order_id[1:]))
            await shop.order(order_id, {"F1": 1}, price="1")
        await world.handling()(await shop.records())
        views = world.effects.analytics
        created = [order.created_at for order in (await views.of_orders(["o20", "o40"])).values()]

        [within] = await views.per_minute(min(created), max(created))
        none = await views.per_minute(max(created), max(created))

        assert (within.minute, within.orders) == (minute, 2)
        assert none == []

    async def test_orders_are_counted_by_the_state_that_they_are_in_now(self, world: World) -> None:
        shop = Shop()
        await shop.live("o1")
        await shop.order("o2")
        await shop.assign("o2")
        for order_id, reason in (("o3", "no time"), ("o4", "out_of_stock"), ("o5", "out_of_stock")):
            await shop.order(order_id)
            await shop.call_off(order_id, reason)

        await world.handling()(await shop.records())

        assert await world.effects.analytics.by_state() == {
            "waiting_for_shipper": 0,
            "preparing": 1,
            "on_the_way": 0,
            "delivered": 1,
            "cancelled": 3,
        }
        assert list((await world.effects.analytics.cancellations()).items()) == [("out_of_stock", 2), ("no time", 1)]

    async def test_the_time_in_each_state_is_counted_when_it_is_left(self, world: World) -> None:
        shop = Shop()
        for number, seconds in enumerate((0.5, 10, 10.25, 20, 100)):
            await shop.order(f"o{number}")
            shop.clock.forward(seconds=seconds)
            await shop.assign(f"o{number}")

        await world.handling()(await shop.records())

        [waiting] = await world.effects.analytics.time_in_states()
        assert (waiting.state, waiting.orders, waiting.median, waiting.p90) == ("waiting_for_shipper", 5, 11, 101)
        assert waiting.mean == (1.5 + 11 + 11.25 + 21 + 101) / 5

    async def test_delivery_times_are_by_nearest_rank(self, world: World) -> None:
        shop = Shop()
        for minutes in range(1, 11):
            order_id = f"o{minutes}"
            await shop.order(order_id)
            await shop.assign(order_id)
            await shop.move(order_id, OrderState.ON_THE_WAY)
            shop.clock.forward(minutes=minutes)
            await shop.move(order_id, OrderState.DELIVERED)
        nothing_yet = await world.effects.analytics.delivery_times()

        await world.handling()(await shop.records())

        assert nothing_yet == DeliveryTimes(orders=0, p50=None, p90=None, p99=None)
        assert await world.effects.analytics.delivery_times() == DeliveryTimes(orders=10, p50=5, p90=9, p99=10)

    async def test_the_progress_of_an_order_is_independent_of_the_batches(self, world: World) -> None:
        shop = Shop()
        await shop.live("o1", price="25.50")
        handle = world.handling()
        for record in await shop.records():
            await handle([record])
        piecewise = await world.effects.analytics.of_orders(["o1"])

        handled = await world.handling(Analyse(name="replay"))(await shop.records())

        assert handled == BatchResult(events=7)
        [order] = piecewise.values()
        assert (order.events, order.state, order.delivery_minutes) == (7, OrderState.DELIVERED, 0)
        assert order.spent == dict.fromkeys(list(OrderState)[:3], timedelta(seconds=1))
        assert str(order.total) == "25.50 EUR"
        assert await world.effects.analytics.of_orders(["o1"]) == piecewise


def _sales(currency: str, orders: int, cancelled: int, gross: str, net: str) -> dict[str, Any]:
    return {
        "currency": currency,
        "orders": orders,
        "cancelled": cancelled,
        "gross_revenue": Decimal(gross),
        "net_revenue": Decimal(net),
    }
