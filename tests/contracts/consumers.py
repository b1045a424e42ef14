"""What the three consumers do about events, wherever the effects are kept."""

import asyncio
from collections import Counter
from datetime import timedelta
from decimal import Decimal

from attrs import evolve
from orderflow.adapters.memory import MemoryChannel
from orderflow.adapters.notify.wording import TemplateWording
from orderflow.application.analyse import Analyse
from orderflow.application.consuming import Handled
from orderflow.application.figures import DeliveryTimes, MinuteSales, RestaurantSales
from orderflow.application.keep_stock import KeepStock
from orderflow.application.notices import Contact, Message, NotificationStatus, Receipt
from orderflow.application.notify import LEASE, Notify
from orderflow.application.stockroom import ReservationStatus
from orderflow.domain.lifecycle import OrderState

from tests.support.effects import World
from tests.support.shop import Shop


class NotificationsContract:
    """Subclassed with a fixture ``world``."""

    async def test_everybody_concerned_is_told_of_each_event_once(self, world: World) -> None:
        shop = Shop()
        await shop.live("o1")
        notify, _ = await _notify(world)

        await world.handling(notify)(await shop.records())

        told = Counter((it.sequence, it.recipient) for it in await world.effects.notifications.of_orders(["o1"]))
        c, r, s = "customer:C1", "restaurant:R1", "shipper:S1"
        assert told == Counter(
            [(1, c), (1, r)] + [(n, party) for n in (2, 3, 4, 5, 6) for party in (c, r, s)] + [(7, c), (7, r)]
        )

    async def test_replaying_all_history_tells_nobody_anything_again(self, world: World) -> None:
        shop = Shop()
        await shop.live("o1")
        await shop.order("o2")
        await shop.assign("o2", "S1")
        await shop.assign("o2", "S2")
        await shop.order("o3")
        await shop.move("o3", OrderState.PREPARING)
        await shop.assign("o3", "S1")
        orders = ["o1", "o2", "o3"]
        notify, _ = await _notify(world)
        await world.handling(notify)(await shop.records())
        told = await world.effects.notifications.of_orders(orders)
        world.clock.forward(hours=1)

        # A reader of another name begins at the beginning, over the same effects.
        await world.handling(evolve(notify, name="replay"))(await shop.records())

        assert await world.effects.notifications.of_orders(orders) == told

    async def test_what_is_pending_is_sent_once(self, world: World) -> None:
        shop = Shop()
        await shop.live("o1")
        notify, channel = await _notify(world)
        await world.handling(notify)(await shop.records())

        settled = await notify.settle()
        again = await notify.settle()

        assert (settled, again) == (19, 0)
        assert len({(message.key) for message in channel.sent}) == 19
        kept = await world.effects.notifications.of_orders(["o1"])
        assert {(it.status, it.attempts, it.sent_at) for it in kept} == {(NotificationStatus.SENT, 1, world.clock())}

    async def test_two_processes_that_settle_at_once_send_nothing_twice(self, world: World) -> None:
        shop = Shop()
        await shop.live("o1")
        notify, channel = await _notify(world)
        await world.handling(notify)(await shop.records())

        await asyncio.gather(notify.settle(), notify.settle())

        assert Counter(message.key for message in channel.sent).most_common(1)[0][1] == 1
        assert len(channel.sent) == 19

    async def test_a_channel_that_is_down_leaves_them_pending_for_ever_later_tries(self, world: World) -> None:
        shop = Shop()
        await shop.order("o1")
        notify, channel = await _notify(world)
        await world.handling(notify)(await shop.records())
        channel.problem = "no route to host"

        in_vain = await notify.settle()
        too_early = await notify.settle()
        kept = await world.effects.notifications.of_orders(["o1"])
        channel.problem = ""
        world.clock.forward(seconds=1)
        later = await notify.settle()

        assert (in_vain, too_early, later) == (0, 0, 2)
        assert {it.status for it in kept} == {NotificationStatus.PENDING}
        assert sorted(it.attempts for it in kept) == [0, 1]
        assert all("no route to host" in it.detail for it in kept)
        assert all(it.due_at == world.clock() for it in kept)

    async def test_each_try_in_vain_doubles_the_pause(self, world: World) -> None:
        shop = Shop()
        await shop.order("o1")
        notify, channel = await _notify(world, "customer:C1")
        await world.handling(notify)(await shop.records())
        channel.problem = "down"
        pauses = []

        for _ in range(11):
            await notify.settle()
            [it] = [n for n in await world.effects.notifications.of_orders(["o1"]) if n.channel == "email"]
            pauses.append((it.due_at - world.clock()).total_seconds())
            world.clock.now = it.due_at

        assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]

    async def test_a_refusal_is_for_good_and_says_why(self, world: World) -> None:
        shop = Shop()
        await shop.order("o1")
        notify, channel = await _notify(world)
        channel.refused.add("restaurant:R1")
        await world.handling(notify)(await shop.records())

        await notify.settle()
        world.clock.forward(days=1)
        again = await notify.settle()

        assert again == 0
        kept = {it.recipient: it for it in await world.effects.notifications.of_orders(["o1"])}
        assert kept["customer:C1"].status is NotificationStatus.SENT
        refused = kept["restaurant:R1"]
        assert (refused.status, refused.detail, refused.sent_at) == (
            NotificationStatus.FAILED,
            "550 no such mailbox",
            None,
        )

    async def test_one_that_cannot_be_sent_does_not_hold_up_the_others(self, world: World) -> None:
        shop = Shop()
        await shop.order("o1")
        notify, channel = await _notify(world)
        await world.handling(notify)(await shop.records())

        class Choosy(MemoryChannel):
            async def send(self, message: Message) -> Receipt:
                if message.recipient == "customer:C1":
                    raise ValueError("unheard of")
                return await channel.send(message)

        settled = await evolve(notify, channels=[Choosy()]).settle()

        assert settled == 1
        stuck, _ = await world.effects.notifications.of_orders(["o1"])
        assert (stuck.status, stuck.attempts, stuck.detail) == ("pending", 1, "ValueError: unheard of")

    async def test_a_slow_channel_leaves_the_rest_before_its_lease_ends(self, world: World) -> None:
        shop = Shop()
        await shop.order("o1")
        notify, channel = await _notify(world)
        await world.handling(notify)(await shop.records())

        class Slow(MemoryChannel):
            async def send(self, message: Message) -> Receipt:
                world.clock.forward(seconds=LEASE.total_seconds() * 0.6)
                return await channel.send(message)

        slow = evolve(notify, channels=[Slow()])

        assert [await slow.settle(), await slow.settle()] == [1, 1]
        assert len(channel.sent) == 2

    async def test_who_has_no_contact_is_recorded_as_unreachable(self, world: World) -> None:
        shop = Shop()
        await shop.order("o1")
        notify, channel = await _notify(world, "customer:C1")
        await world.handling(notify)(await shop.records())

        await notify.settle()

        kept = {it.recipient: (it.channel, it.status) for it in await world.effects.notifications.of_orders(["o1"])}
        assert kept == {
            "customer:C1": ("email", NotificationStatus.SENT),
            "restaurant:R1": ("none", NotificationStatus.UNREACHABLE),
        }
        assert [message.recipient for message in channel.sent] == ["customer:C1"]

    async def test_every_channel_that_reaches_the_recipient_is_used(self, world: World) -> None:
        shop = Shop()
        await shop.order("o1")
        notify, _ = await _notify(world, "customer:C1")
        log = MemoryChannel("log", everybody=True)
        both = evolve(notify, channels=[*notify.channels, log])

        await world.handling(both)(await shop.records())

        kept = [(it.recipient, it.channel) for it in await world.effects.notifications.of_orders(["o1"])]
        assert kept == [("customer:C1", "email"), ("customer:C1", "log"), ("restaurant:R1", "log")]

    async def test_what_a_dead_process_had_claimed_is_sent_after_its_lease(self, world: World) -> None:
        shop = Shop()
        await shop.order("o1")
        notify, _ = await _notify(world)
        await world.handling(notify)(await shop.records())
        now = world.clock()
        await world.effects.notifications.claim(["email"], now=now, until=now + LEASE, limit=9)

        at_once = await notify.settle()
        world.clock.forward(seconds=LEASE.total_seconds())
        later = await notify.settle()

        assert (at_once, later) == (0, 2)


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


class AnalyticsContract:
    """Subclassed with a fixture ``world``."""

    async def test_the_figures_add_up(self, world: World) -> None:
        shop = Shop()
        shop.clock.now = shop.clock.now.replace(minute=0, second=50)
        await shop.order("o1", {"F1": 3}, price="0.10")
        await shop.order("o2", {"F1": 1}, price="2.0005", restaurant_id="R2")
        shop.clock.forward(minutes=1)
        await shop.order("o3", {"F1": 1}, price="7.00", restaurant_id="R2")
        await shop.order("o4", {"F1": 1}, price="500", currency="JPY")
        await shop.call_off("o3", "no time")
        await world.handling()(await shop.records())
        views = world.effects.analytics
        start = shop.clock.now.replace(minute=0, second=59)

        by_minute = await views.per_minute(start, start + timedelta(minutes=2))
        first_minute = await views.per_minute(start, start + timedelta(minutes=1))
        by_restaurant = await views.per_restaurant()

        minute = start.replace(second=0)
        assert by_minute == [
            _minute(minute, "EUR", 2, 0, "2.3005", "2.3005"),
            _minute(minute + timedelta(minutes=1), "EUR", 1, 1, "7.00", "0"),
            _minute(minute + timedelta(minutes=1), "JPY", 1, 0, "500", "500"),
        ]
        assert first_minute == by_minute[:1]
        assert by_restaurant == [
            _restaurant("R1", "EUR", 1, 0, "0.30", "0.30"),
            _restaurant("R1", "JPY", 1, 0, "500", "500"),
            _restaurant("R2", "EUR", 2, 1, "9.0005", "2.0005"),
        ]
        assert all(isinstance(it.gross_revenue, Decimal) for it in by_minute)

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

    async def test_an_order_in_many_batches_has_the_course_that_it_has_in_one(self, world: World) -> None:
        shop = Shop()
        await shop.live("o1", price="25.50")
        handle = world.handling()
        for record in await shop.records():
            await handle([record])
        piecewise = await world.effects.analytics.of_orders(["o1"])

        handled = await world.handling(Analyse(name="replay"))(await shop.records())

        assert handled == Handled(events=7)
        [course] = piecewise.values()
        assert (course.events, course.state, course.delivery_minutes) == (7, OrderState.DELIVERED, 0)
        assert course.spent == dict.fromkeys(list(OrderState)[:3], timedelta(seconds=1))
        assert str(course.total) == "25.50 EUR"
        assert await world.effects.analytics.of_orders(["o1"]) == piecewise


async def _notify(world: World, *reachable: str) -> tuple[Notify, MemoryChannel]:
    """The consumer with one channel that reaches these parties; the usual three where none is named."""
    for party in reachable or ("customer:C1", "restaurant:R1", "shipper:S1", "shipper:S2"):
        await world.effects.contacts.set(Contact(party=party, email=f"{party.replace(':', '.')}@example.org"))
    channel = MemoryChannel()
    return Notify([channel], TemplateWording(), world.effects.notifications, world.clock), channel


def _stock(world: World, shop: Shop) -> KeepStock:
    return KeepStock(world.effects.shortages, shop.cancel, world.clock)


def _minute(minute, currency, orders, cancelled, gross, net) -> MinuteSales:
    return MinuteSales(
        minute=minute,
        currency=currency,
        orders=orders,
        cancelled=cancelled,
        gross_revenue=Decimal(gross),
        net_revenue=Decimal(net),
    )


def _restaurant(restaurant_id, currency, orders, cancelled, gross, net) -> RestaurantSales:
    return RestaurantSales(
        restaurant_id=restaurant_id,
        currency=currency,
        orders=orders,
        cancelled=cancelled,
        gross_revenue=Decimal(gross),
        net_revenue=Decimal(net),
    )
