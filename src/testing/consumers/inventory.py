"""The promises of inventory and its stock, on every storage."""

import asyncio

import pytest
from attrs import evolve

from ...application.inventory.keep_stock import KeepStock
from ...application.inventory.stock import Reservation, ReservationStatus, StockItem
from ...application.request_context import Request, answering
from ...domain.actor import Actor
from ...domain.errors import InvalidInput
from ...domain.lifecycle import OrderState
from ...domain.order import Order
from .shop import Shop
from .world import World

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.asyncio
class InventoryContract:
    """Subclassed with a fixture ``world``."""

    async def test_a_created_order_reserves_its_quantities(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 5)
        await shop.order("o1", {"F1": 3, "F2": 9})

        await world.handling(_stock(world, shop))(await shop.records())

        assert await world.effects.stock.get("R1", "F1") == 2
        assert await world.effects.stock.get("R1", "F2") is None
        [reservation] = (await world.effects.shortages.of_orders(["o1"])).values()
        assert (reservation.status, reservation.taken) == (ReservationStatus.RESERVED, {"F1": 3})

    async def test_a_cancelled_order_releases_its_quantities_and_nothing_else(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 5)
        await shop.order("o1", {"F1": 3, "F2": 9})
        keeper = _stock(world, shop)
        await world.handling(keeper)(await shop.records())
        await world.effects.stock.set("R1", "F2", 1)
        await shop.call_off("o1")

        await world.handling(keeper)(await shop.records())

        assert [it.quantity for it in await world.effects.stock.list()] == [5, 1]
        [reservation] = (await world.effects.shortages.of_orders(["o1"])).values()
        assert reservation.status is ReservationStatus.RELEASED

    async def test_a_short_order_reserves_nothing(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 5)
        await world.effects.stock.set("R1", "F2", 1)
        await shop.order("o1", {"F1": 3, "F2": 2})

        await world.handling(_stock(world, shop))(await shop.records())

        assert [it.quantity for it in await world.effects.stock.list()] == [5, 1]
        [short] = await world.effects.shortages.unsettled(9)
        assert (short.order_id, short.taken, short.missing) == ("o1", {}, ("F2",))

    async def test_the_cancellation_has_the_trace_of_the_order(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 0)
        with answering(Request(correlation_id="K1", traceparent=TRACE)):
            await shop.order("o1")
        await world.handling(_stock(world, shop))(await shop.records())

        await _stock(world, shop).settle()

        *_, cancelled = await shop.storage.log.history("o1")
        assert cancelled.type == "order.cancelled"
        assert (cancelled.correlation_id, cancelled.traceparent) == ("K1", TRACE)

    async def test_orders_of_one_batch_are_served_in_order(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 5)
        await shop.order("o1", {"F1": 3})
        await shop.order("o2", {"F1": 3})
        await shop.order("o3", {"F1": 2})

        await world.handling(_stock(world, shop))(await shop.records())

        decided = await world.effects.shortages.of_orders(["o1", "o2", "o3"])
        assert [decided[order_id].status for order_id in ("o1", "o2", "o3")] == ["reserved", "short", "reserved"]
        assert await world.effects.stock.get("R1", "F1") == 0

    async def test_a_cancellation_in_the_same_batch_frees_stock_for_the_next(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 3)
        await shop.order("o1", {"F1": 3})
        await shop.call_off("o1")
        await shop.order("o2", {"F1": 3})

        await world.handling(_stock(world, shop))(await shop.records())

        decided = await world.effects.shortages.of_orders(["o1", "o2"])
        assert [decided[order_id].status for order_id in ("o1", "o2")] == ["released", "reserved"]

    async def test_a_short_order_is_cancelled_through_the_use_case_and_gives_nothing_back(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 1)
        await shop.order("o1", {"F1": 2})
        keeper = _stock(world, shop)
        handle = world.handling(keeper)
        await handle(await shop.records())

        settled = await keeper.settle()
        again = await keeper.settle()
        handled = await handle(await shop.records())

        assert (settled, again) == (1, 0)
        order = await shop.storage.views.get("o1")
        assert (order.state, order.cancel_reason, order.cancelled_by) == ("cancelled", "out_of_stock", "inventory")
        assert (handled.events, handled.duplicates) == (2, 1)
        assert await world.effects.stock.get("R1", "F1") == 1
        [short] = (await world.effects.shortages.of_orders(["o1"])).values()
        assert (short.status, short.outcome) == (ReservationStatus.SHORT, "cancelled")

    async def test_a_short_order_that_is_final_already_is_left_and_that_is_recorded(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 0)
        await shop.live("o1")
        keeper = _stock(world, shop)
        await world.handling(keeper)(await shop.records())

        settled = await keeper.settle()

        assert settled == 1
        assert (await shop.storage.views.get("o1")).state is OrderState.DELIVERED
        [short] = (await world.effects.shortages.of_orders(["o1"])).values()
        assert short.outcome.startswith("refused: ")
        assert "delivered" in short.outcome

    async def test_a_short_order_that_cannot_be_cancelled_holds_up_no_other(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 0)
        await shop.order("o1", {"F1": 2})
        await shop.order("o2", {"F1": 2})
        await world.handling(_stock(world, shop))(await shop.records())

        async def cancel(order_id: str, reason: str, *, by: Actor) -> Order:
            if order_id == "o1":
                raise ValueError("the row cannot be read")
            return await shop.cancel(order_id, reason, by=by)

        with pytest.raises(ValueError, match="cannot be read"):
            await KeepStock(world.effects.shortages, cancel, world.clock).settle()

        assert (await shop.storage.views.get("o2")).state is OrderState.CANCELLED
        assert [it.order_id for it in await world.effects.shortages.unsettled(9)] == ["o1"]

    async def test_replaying_all_history_changes_no_stock(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 10)
        for order_id in ("o1", "o2", "o3"):
            await shop.order(order_id, {"F1": 2})
        await shop.call_off("o2")
        keeper = _stock(world, shop)
        await world.handling(keeper)(await shop.records())

        await world.handling(evolve(keeper, name="replay"))(await shop.records())

        assert await world.effects.stock.get("R1", "F1") == 6

    async def test_stock_that_is_set_while_orders_take_some_is_never_lost_nor_below_none(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 0)
        for number in range(20):
            await shop.order(f"o{number}", {"F1": 1})
        handle = world.handling(_stock(world, shop))
        records = await shop.records()

        async def refill() -> None:
            for quantity in (4, 3, 2, 5):
                await world.effects.stock.set("R1", "F1", quantity)

        async def serve() -> None:
            for record in records:
                await handle([record])

        await asyncio.gather(refill(), serve())

        decided = await world.effects.shortages.of_orders([f"o{number}" for number in range(20)])
        assert len(decided) == 20
        left = await world.effects.stock.get("R1", "F1")
        assert 0 <= left <= 5
        # Every set begins a count anew; together they cannot have served more than all that was ever set.
        reserved = [it for it in decided.values() if it.status is ReservationStatus.RESERVED]
        assert len(reserved) <= 4 + 3 + 2 + 5


def _stock(world: World, shop: Shop) -> KeepStock:
    return KeepStock(world.effects.shortages, shop.cancel, world.clock)


@pytest.mark.asyncio
class StockStoreContract:
    """Subclassed with a fixture ``world``."""

    async def test_stock_is_set_listed_and_no_longer_counted(self, world: World) -> None:
        stock = world.effects.stock
        await stock.set("R2", "F1", 5)
        await stock.set("R1", "F2", 1)
        await stock.set("R1", "F1", 0)
        await stock.set("R1", "F2", 7)

        await stock.set("R2", "F1", None)

        assert await stock.get("R2", "F1") is None
        assert await stock.get("R1", "F2") == 7
        assert await stock.list("R1") == [
            StockItem(restaurant_id="R1", food_id="F1", quantity=0),
            StockItem(restaurant_id="R1", food_id="F2", quantity=7),
        ]
        assert await stock.list("R2") == []

    @pytest.mark.parametrize("quantity", [-1, 10**9 + 1, True, 1.5])
    async def test_stock_refuses_invalid_quantities(self, world: World, quantity: int) -> None:
        with pytest.raises(InvalidInput, match="quantity"):
            await world.effects.stock.set("R1", "F1", quantity)

        assert await world.effects.stock.get("R1", "F1") is None

    async def test_only_the_stock_of_counted_foods_is_returned(self, world: World) -> None:
        for food in (("R1", "F1"), ("R1", "F2"), ("R2", "F2")):
            await world.effects.stock.set(*food, 4)

        async with world.effects.store("inventory") as work:
            found = await work.reservations.stock({("R1", "F1"), ("R2", "F2"), ("R2", "F9")})
            await work.reservations.put_stock({("R1", "F1"): 1})

        assert found == {("R1", "F1"): 4, ("R2", "F2"): 4}
        assert [it.quantity for it in await world.effects.stock.list()] == [1, 4, 4]

    async def test_a_short_order_is_unsettled_until_its_outcome_is_recorded(self, world: World) -> None:
        short = Reservation(order_id="o2", restaurant_id="R1", status=ReservationStatus.SHORT, missing=("F1", "F2"))
        async with world.effects.store("inventory") as work:
            await work.reservations.keep([reservation("o1"), short, evolve(short, order_id="o3")])
        unsettled = await world.effects.shortages.unsettled(1)

        await world.effects.shortages.settle("o2", "cancelled", world.clock())

        assert unsettled == [short]
        assert [it.order_id for it in await world.effects.shortages.unsettled(9)] == ["o3"]
        assert await world.effects.shortages.of_orders(["o1", "o2", "o9"]) == {
            "o1": reservation("o1"),
            "o2": evolve(short, outcome="cancelled", settled_at=world.clock()),
        }


def reservation(order_id: str) -> Reservation:
    return Reservation(
        order_id=order_id, restaurant_id="R1", status=ReservationStatus.RESERVED, taken={"F1": 2, "F2": 1}
    )
