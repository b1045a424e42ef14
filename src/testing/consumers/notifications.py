"""The promises of notifications, on every storage."""

import asyncio
from collections import Counter
from decimal import Decimal

import pytest
from attrs import define, evolve, field

from ...adapters.memory import MemoryNotifier
from ...adapters.notifications.templates import FileMessageTemplates
from ...adapters.wire import decode_record
from ...application.event_log.records import Delivery
from ...application.notifications.notification import (
    Contact,
    Message,
    NotificationStatus,
    Receipt,
)
from ...application.notifications.notify import LEASE, Notify
from ...application.orders.payment_attempts import AttemptKind, GatewayResponse, PaymentAttempt
from ...application.request_context import Request, answering, current_request
from ...domain.events import PaymentProcessed
from ...domain.lifecycle import OrderState
from ...domain.money import Money
from ...domain.payment import PaymentMethod, PaymentStatus
from .shop import Shop
from .world import World

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@define
class RequestChannel:
    """A channel that notes which request each message is part of."""

    seen: dict[Message, Request] = field(factory=dict)
    name: str = "log"

    def address(self, party: str, contact: Contact | None) -> str | None:
        return party

    async def send(self, message: Message) -> Receipt:
        self.seen[message] = current_request()
        return Receipt(accepted=True)


@pytest.mark.asyncio
class NotificationsContract:
    """Subclassed with a fixture ``world``."""

    async def test_each_recipient_is_notified_of_each_event_once(self, world: World) -> None:
        shop = Shop()
        await shop.live("o1")
        notify, _ = await _notify(world)

        await world.handling(notify)(await shop.records())

        recorded = Counter((it.sequence, it.recipient) for it in await world.effects.notifications.of_orders(["o1"]))
        c, r, s = "customer:C1", "restaurant:R1", "shipper:S1"
        assert recorded == Counter(
            [(1, c), (1, r)] + [(n, party) for n in (2, 3, 4, 5, 6) for party in (c, r, s)] + [(7, c), (7, r)]
        )

    async def test_replaying_all_history_sends_no_notification_again(self, world: World) -> None:
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
        recorded = await world.effects.notifications.of_orders(orders)
        world.clock.forward(hours=1)

        # A reader of another name begins at the beginning, over the same effects.
        await world.handling(evolve(notify, name="replay"))(await shop.records())

        assert await world.effects.notifications.of_orders(orders) == recorded

    async def test_pending_notifications_are_sent_once(self, world: World) -> None:
        notify, channel = await _recorded(world, whole_life=True)

        settled = await notify.settle()
        again = await notify.settle()

        assert (settled, again) == (19, 0)
        assert len({(message.key) for message in channel.sent}) == 19
        kept = await world.effects.notifications.of_orders(["o1"])
        assert {(it.status, it.attempts, it.sent_at) for it in kept} == {(NotificationStatus.SENT, 1, world.clock())}

    async def test_each_is_sent_in_the_trace_of_its_event(self, world: World) -> None:
        shop = Shop()
        for order_id in ("o1", "o2"):
            with answering(Request(correlation_id=f"K-{order_id}", traceparent=TRACE)):
                await shop.order(order_id)
        notify, _ = await _notify(world)
        asking = RequestChannel()
        await world.handling(evolve(notify, channels=[asking]))(await shop.records())

        await evolve(notify, channels=[asking]).settle()

        assert {(it.correlation_id, it.traceparent) for it in asking.seen.values()} == {
            ("K-o1", TRACE),
            ("K-o2", TRACE),
        }
        assert all(it.correlation_id == f"K-{message.order_id}" for message, it in asking.seen.items())

    async def test_two_processes_that_settle_at_once_send_nothing_twice(self, world: World) -> None:
        notify, channel = await _recorded(world, whole_life=True)

        await asyncio.gather(notify.settle(), notify.settle())

        assert Counter(message.key for message in channel.sent).most_common(1)[0][1] == 1
        assert len(channel.sent) == 19

    async def test_an_unavailable_channel_leaves_them_pending_with_growing_back_off(self, world: World) -> None:
        notify, channel = await _recorded(world)
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

    async def test_after_its_attempts_a_notification_has_failed_for_good(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        notify, channel = await _recorded(world, "customer:C1")
        notify = evolve(notify, at_most=3)
        channel.problem = "down"

        with caplog.at_level("WARNING", "orderflow.notify"):
            for _ in range(5):
                await notify.settle()
                world.clock.forward(hours=1)

        [kept] = await world.effects.notifications.list(NotificationStatus.FAILED, limit=9)
        assert (kept.attempts, kept.recipient) == (3, "customer:C1")
        assert kept.detail.startswith("given up after 3 attempts: ")
        assert [record.message for record in caplog.records] == ["notification waits"] * 2 + ["notification failed"]
        assert (caplog.records[-1].order_id, caplog.records[-1].to) == ("o1", "customer:C1")  # type: ignore[attr-defined]

    async def test_a_refund_is_announced_when_it_is_answered(self, world: World) -> None:
        sent = {}
        for order_id, approved in (("o1", True), ("o2", False)):
            shop = Shop()
            await shop.order(order_id)
            refund = _refund(order_id)
            await _keep_attempt(shop, refund)
            notify, channel = await _notify(world)
            notify = evolve(notify, payments=shop.storage.attempts)
            event = PaymentProcessed(
                order_id=order_id,
                customer_id="C1",
                sequence=2,
                occurred_at=shop.clock(),
                status=PaymentStatus.REFUNDED,
                method=PaymentMethod.CREDIT_CARD,
                amount=refund.amount,
                success=True,
            )
            record = (await shop.records())[0]
            async with world.effects.store("notifications") as work:
                await notify.handle([Delivery(record, decode_record(record)), Delivery(record, event)], work)
            await notify.settle()
            before = [message for message in channel.sent if message.sequence == 2]
            await _keep_attempt(shop, refund.settled(GatewayResponse(approved, "ref_1", "card closed"), shop.clock()))
            world.clock.forward(hours=1)
            await notify.settle()
            sent[order_id] = (before, [message.text for message in channel.sent if message.sequence == 2])

        assert sent["o1"] == ([], ["The payment of 10.00 EUR for your order o1 was refunded to your card.\n"])
        assert sent["o2"][0] == []
        assert "could not be made to your card" in sent["o2"][1][0]

    async def test_each_failed_attempt_doubles_the_back_off(self, world: World) -> None:
        notify, channel = await _recorded(world, "customer:C1")
        channel.problem = "down"
        pauses = []

        for _ in range(11):
            await notify.settle()
            [it] = [n for n in await world.effects.notifications.of_orders(["o1"]) if n.channel == "email"]
            pauses.append((it.due_at - world.clock()).total_seconds())
            world.clock.now = it.due_at

        assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]

    async def test_a_refusal_is_final_and_has_its_reason(self, world: World) -> None:
        notify, channel = await _recorded(world)
        channel.refused.add("restaurant:R1")

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
        notify, channel = await _recorded(world)

        class Choosy(MemoryNotifier):
            async def send(self, message: Message) -> Receipt:
                if message.recipient == "customer:C1":
                    raise ValueError("unknown")
                return await channel.send(message)

        settled = await evolve(notify, channels=[Choosy()]).settle()

        assert settled == 1
        stuck, _ = await world.effects.notifications.of_orders(["o1"])
        assert (stuck.status, stuck.attempts, stuck.detail) == ("pending", 1, "ValueError: unknown")

    async def test_a_slow_channel_leaves_the_rest_before_its_lease_ends(self, world: World) -> None:
        notify, channel = await _recorded(world)

        class Slow(MemoryNotifier):
            async def send(self, message: Message) -> Receipt:
                world.clock.forward(seconds=LEASE.total_seconds() * 0.6)
                return await channel.send(message)

        slow = evolve(notify, channels=[Slow()])

        assert [await slow.settle(), await slow.settle()] == [1, 1]
        assert len(channel.sent) == 2

    async def test_a_recipient_without_contact_is_recorded_as_unreachable(self, world: World) -> None:
        notify, channel = await _recorded(world, "customer:C1")

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
        log = MemoryNotifier("log", everybody=True)
        both = evolve(notify, channels=[*notify.channels, log])

        await world.handling(both)(await shop.records())

        kept = [(it.recipient, it.channel) for it in await world.effects.notifications.of_orders(["o1"])]
        assert kept == [("customer:C1", "email"), ("customer:C1", "log"), ("restaurant:R1", "log")]

    async def test_notifications_claimed_by_a_dead_process_are_sent_after_the_lease(self, world: World) -> None:
        notify, _ = await _recorded(world)
        now = world.clock()
        await world.effects.notifications.claim(["email"], now=now, until=now + LEASE, limit=9)

        at_once = await notify.settle()
        world.clock.forward(seconds=LEASE.total_seconds())
        later = await notify.settle()

        assert (at_once, later) == (0, 2)


async def _notify(world: World, *reachable: str) -> tuple[Notify, MemoryNotifier]:
    """Return the consumer with one channel that reaches these parties, by default the usual ones."""
    for party in reachable or ("customer:C1", "restaurant:R1", "shipper:S1", "shipper:S2"):
        await world.effects.contacts.set(Contact(party=party, email=f"{party.replace(':', '.')}@example.org"))
    channel = MemoryNotifier()
    return Notify([channel], FileMessageTemplates(), world.effects.notifications, world.clock), channel


async def _recorded(world: World, *reachable: str, whole_life: bool = False) -> tuple[Notify, MemoryNotifier]:
    """Record the notifications of a new order o1, or of its whole life. Returns what ``_notify`` does."""
    shop = Shop()
    await (shop.live("o1") if whole_life else shop.order("o1"))
    notify, channel = await _notify(world, *reachable)
    await world.handling(notify)(await shop.records())
    return notify, channel


def _refund(order_id: str) -> PaymentAttempt:
    return PaymentAttempt(
        key=f"{order_id}:refund",
        order_id=order_id,
        number=0,
        kind=AttemptKind.REFUND,
        amount=Money(Decimal("10.00"), "EUR"),
        requested_at=Shop().clock(),
    )


async def _keep_attempt(shop: Shop, attempt: PaymentAttempt) -> None:
    async with shop.change.unit_of_work() as work:
        work.payments.record(attempt)
