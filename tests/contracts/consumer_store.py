"""What every place that keeps consumers' effects promises."""

from datetime import timedelta

import pytest
from attrs import evolve
from orderflow.application.consuming.dead_letter import DeadLetter, DeadLetterAction, Outcome, SetAsideRecord
from orderflow.application.event_log.records import LogRecord, UnrecognizedRecord
from orderflow.application.inventory.stock import Reservation, ReservationStatus, StockItem
from orderflow.application.notifications.notification import (
    Contact,
    Notification,
    NotificationKey,
    NotificationStatus,
    Parties,
    Receipt,
)
from orderflow.application.operator_note import OperatorNote
from orderflow.domain.errors import InvalidInput, StaleCursor

from tests.support.effects import World
from tests.support.shop import Shop


class ConsumerStoreContract:
    """Subclassed with a fixture ``world``."""

    async def test_effects_and_cursors_commit_together(self, world: World) -> None:
        parties = Parties(order_id="o1", customer_id="C1", restaurant_id="R1")

        async with world.effects.store("notifications") as work:
            await work.advance({7: (0, 3)})
            await work.notifications.keep_parties([parties])

        assert await world.storage.cursors.positions("notifications") == {7: 3}
        async with world.effects.store("notifications") as work:
            assert await work.notifications.parties(["o1", "o2"]) == {"o1": parties}

    async def test_a_failure_inside_leaves_neither_effects_nor_cursors(self, world: World) -> None:
        async def fail() -> None:
            async with world.effects.store("notifications") as work:
                await work.advance({7: (0, 3)})
                await work.notifications.keep_parties([Parties(order_id="o1", customer_id="C", restaurant_id="R")])
                await work.notifications.record([_notification(world)])
                await work.reservations.keep([_reservation("o1")])
                await work.dead_letters.keep([_letter(world, await _record("o1"))])
                raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            await fail()

        assert await world.storage.cursors.positions("notifications") == {}
        assert await world.effects.notifications.of_orders(["o1"]) == []
        assert await world.effects.shortages.of_orders(["o1"]) == {}
        assert await world.effects.dead_letters.blocking() == []
        async with world.effects.store("notifications") as work:
            assert await work.notifications.parties(["o1"]) == {}

    async def test_a_cursor_that_somebody_else_moved_is_not_moved_again(self, world: World) -> None:
        async with world.effects.store("analytics") as work:
            await work.advance({1: (0, 5), 2: (0, 1)})

        with pytest.raises(StaleCursor) as refused:
            async with world.effects.store("analytics") as work:
                await work.advance({2: (1, 2), 1: (0, 5)})

        assert (refused.value.bucket, refused.value.expected) == (1, 0)
        assert await world.storage.cursors.positions("analytics") == {1: 5, 2: 1}

    async def test_a_cursor_cannot_be_moved_from_where_it_never_was(self, world: World) -> None:
        with pytest.raises(StaleCursor):
            async with world.effects.store("analytics") as work:
                await work.advance({1: (3, 4)})

        assert (await world.storage.cursors.positions("analytics")).get(1, 0) == 0

    async def test_consumers_have_cursors_of_their_own(self, world: World) -> None:
        async with world.effects.store("analytics") as work:
            await work.advance({1: (0, 5)})

        async with world.effects.store("inventory") as work:
            await work.advance({1: (0, 2)})

        assert await world.storage.cursors.positions("analytics") == {1: 5}
        assert await world.storage.cursors.positions("inventory") == {1: 2}

    async def test_a_notification_is_recorded_once_and_stays_as_it_is(self, world: World) -> None:
        first = _notification(world)
        await _record_all(world, first)

        await _record_all(world, evolve(first, subject="another"), evolve(first, channel="log"))

        kept = await world.effects.notifications.of_orders(["o1"])
        assert [(it.channel, it.subject) for it in kept] == [("email", "hello"), ("log", "hello")]

    async def test_whom_each_event_was_told_is_known_without_what_was_said(self, world: World) -> None:
        there = _notification(world)
        others = (
            evolve(there, order_id=of, sequence=n, channel=by) for of, n, by in [("o2", 1, "log"), ("o3", 1, "log")]
        )
        await _record_all(world, evolve(there, sequence=2), evolve(there, channel="log"), there, *others)

        told = await world.effects.notifications.told({"o2", "o1", "o9"})

        assert told == [
            NotificationKey("o1", 1, there.recipient, "email"),
            NotificationKey("o1", 1, there.recipient, "log"),
            NotificationKey("o1", 2, there.recipient, "email"),
            NotificationKey("o2", 1, there.recipient, "log"),
        ]

    async def test_claimed_notifications_are_nobody_elses_until_the_lease_ends(self, world: World) -> None:
        await _record_all(world, *(evolve(_notification(world), sequence=n) for n in (3, 1, 2)))
        now = world.clock()
        until = now + timedelta(minutes=1)

        claimed = await world.effects.notifications.claim(["email"], now=now, until=until, limit=2)
        others = await world.effects.notifications.claim(["email"], now=now, until=until, limit=9)
        later = await world.effects.notifications.claim(["email"], now=until, until=until, limit=9)

        assert [it.sequence for it in claimed] == [1, 2]
        assert [it.sequence for it in others] == [3]
        assert [it.sequence for it in later] == [1, 2, 3]

    async def test_only_what_is_pending_and_of_the_asked_channels_is_claimed(self, world: World) -> None:
        there = _notification(world)
        sent = evolve(there, sequence=2)
        await _record_all(
            world,
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

    async def test_contacts_are_set_listed_and_forgotten(self, world: World) -> None:
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
    async def test_stock_refuses_what_is_no_quantity(self, world: World, quantity: int) -> None:
        with pytest.raises(InvalidInput, match="quantity"):
            await world.effects.stock.set("R1", "F1", quantity)

        assert await world.effects.stock.get("R1", "F1") is None

    async def test_only_the_stock_of_counted_foods_is_told(self, world: World) -> None:
        for food in (("R1", "F1"), ("R1", "F2"), ("R2", "F2")):
            await world.effects.stock.set(*food, 4)

        async with world.effects.store("inventory") as work:
            found = await work.reservations.stock({("R1", "F1"), ("R2", "F2"), ("R2", "F9")})
            await work.reservations.put_stock({("R1", "F1"): 1})

        assert found == {("R1", "F1"): 4, ("R2", "F2"): 4}
        assert [it.quantity for it in await world.effects.stock.list()] == [1, 4, 4]

    async def test_a_short_order_is_unsettled_until_its_outcome_is_noted(self, world: World) -> None:
        short = Reservation(order_id="o2", restaurant_id="R1", status=ReservationStatus.SHORT, missing=("F1", "F2"))
        async with world.effects.store("inventory") as work:
            await work.reservations.keep([_reservation("o1"), short, evolve(short, order_id="o3")])
        unsettled = await world.effects.shortages.unsettled(1)

        await world.effects.shortages.settle("o2", "cancelled", world.clock())

        assert unsettled == [short]
        assert [it.order_id for it in await world.effects.shortages.unsettled(9)] == ["o3"]
        assert await world.effects.shortages.of_orders(["o1", "o2", "o9"]) == {
            "o1": _reservation("o1"),
            "o2": evolve(short, outcome="cancelled", settled_at=world.clock()),
        }

    async def test_an_order_is_parked_while_it_has_letters(self, world: World) -> None:
        first, second = _letter(world, await _record("o1")), _letter(world, await _record("o1", 2))
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([second, first, _letter(world, await _record("o2"))])

        async with world.effects.store("analytics") as work:
            assert set(await work.dead_letters.parked(["o1", "o3"])) == {"o1"}
            assert await work.dead_letters.first("o1") == first
            assert not await work.dead_letters.remove(first)
            assert await work.dead_letters.first("o1") == second
            assert await work.dead_letters.remove(second)
            assert await work.dead_letters.first("o1") is None
            assert not await work.dead_letters.parked(["o1"])

        assert [it.record.order_id for it in await world.effects.dead_letters.blocking()] == ["o2"]

    async def test_letters_belong_to_one_consumer(self, world: World) -> None:
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([_letter(world, await _record("o1"))])

        async with world.effects.store("inventory") as work:
            assert not await work.dead_letters.parked(["o1"])
            assert await work.dead_letters.first("o1") is None

        assert await world.effects.dead_letters.blocking("inventory") == []
        assert not await world.effects.dead_letters.of_order("inventory", "o1")

    async def test_a_letter_tells_all_about_its_event_and_its_failures(self, world: World) -> None:
        letter = _letter(world, await _record("o1"))
        try:
            raise ValueError("wrong \0 \ud800")
        except ValueError as failure:
            failed = letter.failed_again(failure, world.clock() + timedelta(seconds=1))

        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([letter])
            await work.dead_letters.keep([failed])

        [kept] = await world.effects.dead_letters.of_order("analytics", "o1")
        assert kept.record == letter.record
        assert (kept.error, kept.attempts) == ("ValueError", 1)
        assert kept.message.startswith("wrong ")
        assert "ValueError" in kept.trace
        assert kept.last_failed_at - kept.first_failed_at == timedelta(seconds=1)

    async def test_blocking_letters_are_found_by_the_error_of_the_first(self, world: World) -> None:
        first, second = _letter(world, await _record("o1")), _letter(world, await _record("o1", 2))
        other = _letter(world, await _record("o2"))
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep(
                [evolve(first, error="KeyError"), evolve(second, error="ValueError"), evolve(other, error="ValueError")]
            )

        of_value_error = await world.effects.dead_letters.blocking("analytics", error="ValueError")

        assert [it.record.order_id for it in of_value_error] == ["o2"]

    async def test_what_was_done_about_letters_is_told_the_latest_first(self, world: World) -> None:
        changes = []
        for number, (consumer, order_id) in enumerate((("analytics", "o1"), ("analytics", "o2"), ("inventory", "o1"))):
            word = OperatorNote(
                by="ann", reason=f"reason {number}; 50 % of it", at=world.clock() + timedelta(seconds=number)
            )
            letter = evolve(_letter(world, await _record(order_id)), consumer=consumer, error="KeyError", attempts=3)
            changes.append(DeadLetterAction.of(letter, Outcome.DROPPED if number else Outcome.HANDLED, word))
            async with world.effects.store(consumer) as work:
                await work.dead_letters.note(changes[-1])
        letters = world.effects.dead_letters

        assert await letters.history(limit=10) == changes[::-1]
        assert await letters.history(limit=1) == changes[2:]
        assert await letters.history(limit=10, consumer="analytics") == changes[1::-1]
        assert await letters.history(limit=10, order_id="o1") == [changes[2], changes[0]]
        assert await letters.dropped("analytics") == {"o2": {1}}

    async def test_what_was_noted_in_a_transaction_that_fails_is_gone(self, world: World) -> None:
        word = OperatorNote(by="ann", reason="a slip", at=world.clock())
        change = DeadLetterAction.of(_letter(world, await _record("o1")), Outcome.DROPPED, word)

        async def fails_after_noting() -> None:
            async with world.effects.store("analytics") as work:
                await work.dead_letters.note(change)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fails_after_noting()

        assert await world.effects.dead_letters.history(limit=10) == []

    async def test_letters_to_be_copied_are_claimed_in_order_and_by_one_at_a_time(self, world: World) -> None:
        letters = [_letter(world, await _record("o1", sequence)) for sequence in (1, 2, 3)]
        now, later = world.clock(), world.clock() + timedelta(seconds=30)
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep(letters[::-1])
            await work.dead_letters.copy_later(letters[::-1], now)

        first = await world.effects.dead_letters.claim_copies(now=now, until=later, limit=2)
        second = await world.effects.dead_letters.claim_copies(now=now, until=later, limit=2)
        nobody = await world.effects.dead_letters.claim_copies(now=now, until=later, limit=2)
        after_a_death = await world.effects.dead_letters.claim_copies(now=later, until=later, limit=9)

        assert (first, second, nobody, after_a_death) == (letters[:2], letters[2:], [], letters)

    async def test_a_letter_that_was_copied_or_removed_is_copied_no_more(self, world: World) -> None:
        letters = [_letter(world, await _record("o1", sequence)) for sequence in (1, 2, 3)]
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep(letters)
            await work.dead_letters.copy_later(letters, world.clock())
            await work.dead_letters.remove(letters[0])

        await world.effects.dead_letters.copied(letters[1:2])

        left = await world.effects.dead_letters.claim_copies(now=world.clock(), until=world.clock(), limit=9)
        assert left == letters[2:]

    async def test_a_letter_that_nobody_wants_copied_is_not(self, world: World) -> None:
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([_letter(world, await _record("o1"))])

        assert await world.effects.dead_letters.claim_copies(now=world.clock(), until=world.clock(), limit=9) == []

    async def test_parked_orders_are_counted_by_consumer(self, world: World) -> None:
        first, second = _letter(world, await _record("o1")), _letter(world, await _record("o1", 2))
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([first, second, _letter(world, await _record("o2"))])
        async with world.effects.store("inventory") as work:
            await work.dead_letters.keep([evolve(first, consumer="inventory")])
            await work.dead_letters.remove(evolve(first, consumer="inventory"))

        assert await world.effects.dead_letters.parked() == {"analytics": 2}

    async def test_events_that_are_set_aside_are_counted_by_consumer(self, world: World) -> None:
        first, second = _letter(world, await _record("o1")), _letter(world, await _record("o1", 2))
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([first, second, _letter(world, await _record("o2"))])
        async with world.effects.store("inventory") as work:
            await work.dead_letters.keep([evolve(first, consumer="inventory")])

        assert await world.effects.dead_letters.letters() == {"analytics": 3, "inventory": 1}

    async def test_the_latest_failures_come_first_and_what_waits_is_none(self, world: World) -> None:
        now = world.clock()
        failed = [
            evolve(_letter(world, await _record(f"o{n}")), error="KeyError", last_failed_at=now + timedelta(seconds=n))
            for n in range(1, 5)
        ]
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([failed[2], failed[0], failed[3], failed[1]])
            await work.dead_letters.keep([_letter(world, await _record("o1", 2))])

        latest = await world.effects.dead_letters.latest(3)

        assert [it.record.order_id for it in latest] == ["o4", "o3", "o2"]
        assert {it.error for it in await world.effects.dead_letters.latest(10)} == {"KeyError"}

    async def test_a_foreign_record_is_set_aside_once_with_its_exact_bytes(self, world: World) -> None:
        record = UnrecognizedRecord(
            topic="t",
            partition=1,
            offset=7,
            key=b"\0k",
            value=b"\xff\0",
            headers=(("a", b"\xfe"), ("a", b"")),
            problem="no address \0",
        )
        letter = SetAsideRecord(consumer="analytics", record=record, found_at=world.clock())

        for again in (letter, evolve(letter, found_at=world.clock() + timedelta(1))):
            async with world.effects.store("analytics") as work:
                await work.dead_letters.set_aside([again])

        [kept] = await world.effects.dead_letters.foreign("analytics")
        assert evolve(kept.record, problem="") == evolve(record, problem="")
        assert kept.found_at == world.clock()
        assert await world.effects.dead_letters.foreign("inventory") == []
        assert await world.effects.dead_letters.unrecognized_records() == {"analytics": 1}


def _notification(world: World) -> Notification:
    return Notification(
        order_id="o1",
        sequence=1,
        recipient="customer:C1",
        channel="email",
        event_type="order.created",
        address="c1@example.org",
        subject="hello",
        text="there",
        recorded_at=world.clock(),
        due_at=world.clock(),
    )


async def _record_all(world: World, *notifications: Notification) -> None:
    async with world.effects.store("notifications") as work:
        await work.notifications.record(notifications)


def _reservation(order_id: str) -> Reservation:
    return Reservation(
        order_id=order_id, restaurant_id="R1", status=ReservationStatus.RESERVED, taken={"F1": 2, "F2": 1}
    )


async def _record(order_id: str, sequence: int = 1) -> LogRecord:
    shop = Shop()
    await shop.live(order_id)
    return (await shop.records())[sequence - 1]


def _letter(world: World, record: LogRecord) -> DeadLetter:
    now = world.clock()
    return DeadLetter(consumer="analytics", record=record, first_failed_at=now, last_failed_at=now)
