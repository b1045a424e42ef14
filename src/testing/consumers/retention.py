"""The promises of forgetting old data, on every storage."""

from typing import Any

import pytest
from attrs import evolve

from ...application.backlog import Backlog
from ...application.consuming.dead_letter import SetAsideRecord
from ...application.customers.forget_old_data import ForgetOldData, Retention
from ...application.event_log.records import UnrecognizedRecord
from ...application.notifications.notification import NotificationStatus
from ..orders import ADMIN, AT, REASON, keep, unit_of_work
from .customers import ADDRESS, DAY, data_of, lived, notification
from .world import World


@pytest.mark.asyncio
class RetentionContract:
    """Subclassed with a fixture ``world``."""

    async def test_old_addresses_are_forgotten_and_recent_or_open_ones_are_not(self, world: World) -> None:
        await lived(world, "old")
        await lived(world, "open", final=False)
        await lived(world, "recent", at=AT + 9 * DAY)
        await lived(world, "long", final=False)
        await _end(world, "long", AT + 9 * DAY)
        forget = _forgetting(world, Retention(addresses=5 * DAY))

        await _all(forget, AT + 10 * DAY)
        await _end(world, "open", AT + 11 * DAY)
        await _all(forget, AT + 12 * DAY)
        orders = {name: await world.storage.views.get(name) for name in ("old", "open", "recent", "long")}
        await _all(_forgetting(world, Retention(addresses=5 * DAY)), AT + 20 * DAY)

        assert {name: order.address for name, order in orders.items()} == {
            "old": None,
            "open": ADDRESS,
            "recent": ADDRESS,
            "long": ADDRESS,
        }
        assert orders["old"].payment.card_token is None
        assert {(await world.storage.views.get(name)).address for name in orders} == {None}

    async def test_an_order_of_a_process_whose_clock_was_a_year_ahead_is_forgotten_in_its_time(
        self, world: World
    ) -> None:
        now = await world.storage.now()
        await lived(world, "ahead", at=now + 365 * DAY)
        forget = _forgetting(world, Retention(addresses=5 * DAY))

        await _all(forget, now + 4 * DAY)
        kept = await world.storage.views.get("ahead")
        await _all(forget, now + 6 * DAY)

        assert kept.address == ADDRESS
        assert (await world.storage.views.get("ahead")).address is None

    async def test_old_notifications_are_forgotten_once_their_consumer_has_recorded_them(self, world: World) -> None:
        order = await lived(world)
        sent = notification(world, status=NotificationStatus.SENT)
        waiting = notification(world, recipient="restaurant:R1")
        failed = notification(world, recipient="shipper:S1", status=NotificationStatus.FAILED)
        await world.record(sent, waiting, failed)
        forget = _forgetting(world, Retention(notifications=5 * DAY))

        await _all(forget, AT + 10 * DAY)
        before = await world.effects.notifications.of_orders(["O1"])
        await world.storage.cursors.put("notifications", await world.storage.log.heads())
        await _all(forget, AT + 10 * DAY)

        assert before == [sent, waiting, failed]
        blank = evolve(sent, address="", subject="", text="", detail="erased")
        dropped = evolve(blank, recipient="restaurant:R1", status=NotificationStatus.DROPPED)
        erased = [blank, dropped, evolve(dropped, recipient="shipper:S1")]
        assert await world.effects.notifications.of_orders(["O1"]) == erased
        assert await world.effects.notifications.backlog() == Backlog()
        assert await world.storage.views.get("O1") == order

    async def test_old_records_that_are_no_events_are_deleted_and_still_counted(self, world: World) -> None:
        for offset, days in ((1, 0), (2, 8)):
            record_ = UnrecognizedRecord(
                topic="orders", partition=0, offset=offset, key=b"", value=b"?", headers=(), problem="nonsense"
            )
            async with world.effects.store("analytics") as work:
                await work.dead_letters.set_aside(
                    [SetAsideRecord(consumer="analytics", record=record_, found_at=AT + days * DAY)]
                )

        await _all(_forgetting(world, Retention(unrecognized=5 * DAY)), AT + 10 * DAY)

        kept = await world.effects.dead_letters.unrecognized_records("analytics")
        assert [each.record.offset for each in kept] == [2]
        assert await world.effects.dead_letters.unrecognized_counts() == {"analytics": 2}


async def _end(world: World, order_id: str, at: Any) -> None:
    async with unit_of_work(world.storage)() as work:
        change = (await work.orders.get(order_id)).cancel(REASON, by=ADMIN, at=at)
        keep(work, change)


def _forgetting(world: World, kept: Retention) -> ForgetOldData:
    return ForgetOldData(world.storage.log, world.storage.cursors, data_of(world), kept)


async def _all(forget: ForgetOldData, now: Any) -> None:
    while await forget(now):
        continue
