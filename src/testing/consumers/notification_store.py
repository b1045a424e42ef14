"""The promises of the store of notifications and contacts."""

from datetime import timedelta

import pytest
from attrs import evolve

from ...application.backlog import Backlog
from ...application.notifications.notification import (
    ERASED,
    Contact,
    NotificationKey,
    NotificationStatus,
    Receipt,
)
from ...application.notifications.notify import LEASE
from .world import World


@pytest.mark.asyncio
class NotificationStoreContract:
    """Subclassed with a fixture ``world``."""

    async def test_a_notification_is_recorded_once_and_stays_as_it_is(self, world: World) -> None:
        first = world.notification()
        await world.record(first)

        await world.record(evolve(first, subject="another"), evolve(first, channel="log"))

        kept = await world.effects.notifications.of_orders(["o1"])
        assert [(it.channel, it.subject) for it in kept] == [("email", "hello"), ("log", "hello")]

    async def test_notification_keys_are_listed_without_their_text(self, world: World) -> None:
        there = world.notification()
        others = (
            evolve(there, order_id=of, sequence=n, channel=by) for of, n, by in [("o2", 1, "log"), ("o3", 1, "log")]
        )
        await world.record(evolve(there, sequence=2), evolve(there, channel="log"), there, *others)

        recorded = await world.effects.notifications.keys({"o2", "o1", "o9"})

        assert recorded == [
            NotificationKey("o1", 1, there.recipient, "email"),
            NotificationKey("o1", 1, there.recipient, "log"),
            NotificationKey("o1", 2, there.recipient, "email"),
            NotificationKey("o2", 1, there.recipient, "log"),
        ]

    async def test_claimed_notifications_are_not_claimed_again_until_the_lease_ends(self, world: World) -> None:
        await world.record(*(world.notification(sequence=n) for n in (3, 1, 2)))
        now = world.clock()
        until = now + timedelta(minutes=1)

        claimed = await world.effects.notifications.claim(["email"], now=now, until=until, limit=2)
        others = await world.effects.notifications.claim(["email"], now=now, until=until, limit=9)
        later = await world.effects.notifications.claim(["email"], now=until, until=until, limit=9)

        assert [it.sequence for it in claimed] == [1, 2]
        assert [it.sequence for it in others] == [3]
        assert [it.sequence for it in later] == [1, 2, 3]

    async def test_only_pending_notifications_of_the_given_channels_are_claimed(self, world: World) -> None:
        there = world.notification()
        sent = evolve(there, sequence=2)
        await world.record(
            there,
            sent,
            evolve(there, sequence=3, channel="none", status=NotificationStatus.UNREACHABLE),
            evolve(there, sequence=4, channel="log"),
        )
        await world.effects.notifications.keep([sent.settled(Receipt(accepted=True, detail="ok"), world.clock())])

        claimed = await world.effects.notifications.claim(
            {"email", "none"}, now=world.clock(), until=world.clock() + timedelta(1), limit=9
        )

        assert claimed == [there]
        kept = await world.effects.notifications.of_orders(["o1"])
        assert [(it.status, it.attempts, it.sent_at, it.detail) for it in kept][1] == (
            NotificationStatus.SENT,
            1,
            world.clock(),
            "ok",
        )

    async def test_a_drop_or_an_erasure_meanwhile_stays_unless_the_message_went_out(self, world: World) -> None:
        there = world.notification()
        erased = evolve(there, sequence=2, address="", subject="", text="", detail=ERASED)
        await world.record(there, evolve(there, sequence=2))
        dropped = [evolve(it, status=NotificationStatus.DROPPED) for it in (there, erased)]
        await world.effects.notifications.replace(dropped)
        refused, sent = [
            [evolve(there, sequence=number).settled(Receipt(accepted=accepted), world.clock()) for number in (1, 2)]
            for accepted in (False, True)
        ]

        await world.effects.notifications.keep(refused)
        after_refusal = await world.effects.notifications.of_orders(["o1"])
        await world.effects.notifications.keep(sent)

        assert after_refusal == dropped
        assert await world.effects.notifications.of_orders(["o1"]) == [sent[0], dropped[1]]

    async def test_what_is_made_pending_again_is_claimed_again_with_its_new_address(self, world: World) -> None:
        there = world.notification()
        await world.record(there)
        await world.effects.notifications.keep([there.settled(Receipt(accepted=False, detail="no"), world.clock())])

        again = evolve(there, address="new@example.org", attempts=0)
        await world.effects.notifications.replace([again])

        now = world.clock()
        claimed = await world.effects.notifications.claim(["email"], now=now, until=now + LEASE, limit=9)
        assert claimed == [again]

    async def test_the_backlog_is_what_is_pending_and_what_failed(self, world: World) -> None:
        there = world.notification()
        minute = timedelta(minutes=1)
        old = evolve(there, sequence=2, recorded_at=there.recorded_at - minute, due_at=there.due_at + minute)
        failed = evolve(there, sequence=3, status=NotificationStatus.FAILED)
        later = evolve(failed, sequence=4, recorded_at=there.recorded_at + minute)
        sent = evolve(there, sequence=5, status=NotificationStatus.SENT)
        outbox = world.effects.notifications
        empty = await outbox.backlog()
        await world.record(there, old, failed, later, sent)

        assert empty == Backlog()
        assert await outbox.backlog() == Backlog(pending=2, oldest=old.recorded_at, failed=2)
        assert await outbox.list(NotificationStatus.PENDING, limit=9) == [there, old]
        assert await outbox.list(NotificationStatus.FAILED, limit=9) == [later, failed]
        assert await outbox.list(NotificationStatus.FAILED, limit=1) == [later]
        assert await outbox.list(NotificationStatus.SENT, limit=9) == [sent]
        assert await outbox.list(NotificationStatus.DROPPED, limit=9) == []

    async def test_contacts_are_set_listed_and_deleted(self, world: World) -> None:
        contacts = world.effects.contacts
        await contacts.set(Contact(party="shipper:S1", email="s1@example.org"))
        await contacts.set(Contact(party="customer:C1", email="old@example.org"))
        await contacts.set(Contact(party="customer:C1", email="c1@example.org"))

        await contacts.set(Contact(party="shipper:S1"))

        assert await contacts.get("shipper:S1") is None
        assert await contacts.list() == [Contact(party="customer:C1", email="c1@example.org")]
        async with world.effects.store("notifications") as work:
            known = await work.notifications.contacts(["customer:C1", "shipper:S1"])
        assert known == {"customer:C1": Contact(party="customer:C1", email="c1@example.org")}
