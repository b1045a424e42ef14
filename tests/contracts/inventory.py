"""What the consumer of inventory does, wherever the effects are kept."""

import asyncio

from attrs import evolve
from orderflow.application.inventory.keep_stock import KeepStock
from orderflow.application.inventory.stock import ReservationStatus
from orderflow.application.request_context import Request, answering
from orderflow.domain.lifecycle import OrderState

from tests.support.effects import World
from tests.support.shop import Shop

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class InventoryContract:
    """Subclassed with a fixture ``world``."""

    async def test_a_created_order_takes_what_it_wants(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 5)
        await shop.order("o1", {"F1": 3, "F2": 9})

        await world.handling(_stock(world, shop))(await shop.records())

        assert await world.effects.stock.get("R1", "F1") == 2
        assert await world.effects.stock.get("R1", "F2") is None
        [reservation] = (await world.effects.shortages.of_orders(["o1"])).values()
        assert (reservation.status, reservation.taken) == (ReservationStatus.RESERVED, {"F1": 3})

    async def test_a_cancelled_order_gives_back_what_it_took_and_nothing_else(self, world: World) -> None:
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

    async def test_a_short_order_takes_nothing_at_all(self, world: World) -> None:
        shop = Shop()
        await world.effects.stock.set("R1", "F1", 5)
        await world.effects.stock.set("R1", "F2", 1)
        await shop.order("o1", {"F1": 3, "F2": 2})

        await world.handling(_stock(world, shop))(await shop.records())

        assert [it.quantity for it in await world.effects.stock.list()] == [5, 1]
        [short] = await world.effects.shortages.unsettled(9)
        assert (short.order_id, short.taken, short.missing) == ("o1", {}, ("F2",))

    async def test_the_cancellation_carries_what_the_order_was_asked_with(self, world: World) -> None:
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

    async def test_a_short_order_that_is_final_already_is_left_and_that_is_noted(self, world: World) -> None:
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

    async def test_replaying_all_history_takes_and_gives_nothing_again(self, world: World) -> None:
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
