"""The promises of every store of dead letters."""

from datetime import timedelta

import pytest
from attrs import evolve

from ...application.consuming.dead_letter import (
    MAX_SET_ASIDE,
    DeadLetterAction,
    Outcome,
    SetAsideRecord,
)
from ...application.event_log.records import UnrecognizedRecord
from ...application.operator_note import OperatorNote
from .world import World


@pytest.mark.asyncio
class DeadLetterStoreContract:
    """Subclassed with a fixture ``world``."""

    async def test_an_order_is_parked_while_it_has_dead_letters(self, world: World) -> None:
        first, second = await world.dead_letter("o1"), await world.dead_letter("o1", 2)
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([second, first, await world.dead_letter("o2")])

        async with world.effects.store("analytics") as work:
            assert set(await work.dead_letters.parked(["o1", "o3"])) == {"o1"}
            assert await work.dead_letters.first("o1") == first
            assert not await work.dead_letters.remove(first)
            assert await work.dead_letters.first("o1") == second
            assert await work.dead_letters.remove(second)
            assert await work.dead_letters.first("o1") is None
            assert not await work.dead_letters.parked(["o1"])

        assert [it.record.order_id for it in await world.effects.dead_letters.blocking()] == ["o2"]

    async def test_dead_letters_belong_to_one_consumer(self, world: World) -> None:
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([await world.dead_letter("o1")])

        async with world.effects.store("inventory") as work:
            assert not await work.dead_letters.parked(["o1"])
            assert await work.dead_letters.first("o1") is None

        assert await world.effects.dead_letters.blocking("inventory") == []
        assert not await world.effects.dead_letters.of_order("inventory", "o1")

    async def test_a_dead_letter_has_its_event_and_its_failures(self, world: World) -> None:
        dead_letter = await world.dead_letter("o1")
        try:
            raise ValueError("wrong \0 \ud800")
        except ValueError as failure:
            failed = dead_letter.failed_again(failure, world.clock() + timedelta(seconds=1))

        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([dead_letter])
            await work.dead_letters.keep([failed])

        [kept] = await world.effects.dead_letters.of_order("analytics", "o1")
        assert kept.record == dead_letter.record
        assert (kept.error, kept.attempts) == ("ValueError", 1)
        assert kept.message.startswith("wrong ")
        assert "ValueError" in kept.trace
        assert kept.last_failed_at - kept.first_failed_at == timedelta(seconds=1)

    async def test_blocking_dead_letters_are_found_by_the_error_of_the_first(self, world: World) -> None:
        first, second = await world.dead_letter("o1"), await world.dead_letter("o1", 2)
        other = await world.dead_letter("o2")
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep(
                [evolve(first, error="KeyError"), evolve(second, error="ValueError"), evolve(other, error="ValueError")]
            )

        of_value_error = await world.effects.dead_letters.blocking("analytics", error="ValueError")

        assert [it.record.order_id for it in of_value_error] == ["o2"]

    async def test_parked_orders_are_grouped_by_the_error_of_the_first(self, world: World) -> None:
        dead_letters = [await world.dead_letter(f"o{number}", error="KeyError") for number in range(3)]
        behind = await world.dead_letter("o0", 2)
        later = world.clock() + timedelta(minutes=1)
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep(
                [behind, *dead_letters[:2], evolve(dead_letters[2], error="ValueError", last_failed_at=later)]
            )
        async with world.effects.store("inventory") as work:
            await work.dead_letters.keep([evolve(dead_letters[0], consumer="inventory")])

        groups = await world.effects.dead_letters.groups()
        limited = await world.effects.dead_letters.blocking(limit=2)

        assert [(it.consumer, it.error, it.orders) for it in groups] == [
            ("analytics", "KeyError", 2),
            ("analytics", "ValueError", 1),
            ("inventory", "KeyError", 1),
        ]
        assert [it.last_failed_at for it in groups] == [world.clock(), later, world.clock()]
        assert [it.record.order_id for it in limited] == ["o0", "o1"]

    async def test_actions_are_listed_the_latest_first(self, world: World) -> None:
        changes = []
        for number, (consumer, order_id) in enumerate((("analytics", "o1"), ("analytics", "o2"), ("inventory", "o1"))):
            word = OperatorNote(
                by="ann", reason=f"reason {number}; 50 % of it", at=world.clock() + timedelta(seconds=number)
            )
            dead_letter = await world.dead_letter(order_id, consumer=consumer, error="KeyError", attempts=3)
            changes.append(DeadLetterAction.of(dead_letter, Outcome.DROPPED if number else Outcome.HANDLED, word))
            async with world.effects.store(consumer) as work:
                await work.dead_letters.note(changes[-1])
        dead_letters = world.effects.dead_letters

        assert await dead_letters.history(limit=10) == changes[::-1]
        assert await dead_letters.history(limit=1) == changes[2:]
        assert await dead_letters.history(limit=10, consumer="analytics") == changes[1::-1]
        assert await dead_letters.history(limit=10, order_id="o1") == [changes[2], changes[0]]
        assert await dead_letters.dropped("analytics") == {"o2": {1}}

    async def test_an_action_in_a_transaction_that_fails_is_not_recorded(self, world: World) -> None:
        word = OperatorNote(by="ann", reason="a slip", at=world.clock())
        change = DeadLetterAction.of(await world.dead_letter("o1"), Outcome.DROPPED, word)

        async def fails_after_noting() -> None:
            async with world.effects.store("analytics") as work:
                await work.dead_letters.note(change)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fails_after_noting()

        assert await world.effects.dead_letters.history(limit=10) == []

    async def test_dead_letters_to_copy_are_claimed_in_order_and_by_one_process_at_a_time(self, world: World) -> None:
        dead_letters = [await world.dead_letter("o1", sequence) for sequence in (1, 2, 3)]
        now, later = world.clock(), world.clock() + timedelta(seconds=30)
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep(dead_letters[::-1])
            await work.dead_letters.copy_later(dead_letters[::-1], now)

        first = await world.effects.dead_letters.claim_copies(now=now, until=later, limit=2)
        second = await world.effects.dead_letters.claim_copies(now=now, until=later, limit=2)
        third = await world.effects.dead_letters.claim_copies(now=now, until=later, limit=2)
        after_a_death = await world.effects.dead_letters.claim_copies(now=later, until=later, limit=9)

        assert (first, second, third, after_a_death) == (dead_letters[:2], dead_letters[2:], [], dead_letters)

    async def test_a_dead_letter_that_was_copied_or_removed_is_not_claimed_again(self, world: World) -> None:
        dead_letters = [await world.dead_letter("o1", sequence) for sequence in (1, 2, 3)]
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep(dead_letters)
            await work.dead_letters.copy_later(dead_letters, world.clock())
            await work.dead_letters.remove(dead_letters[0])

        await world.effects.dead_letters.copied(dead_letters[1:2])

        left = await world.effects.dead_letters.claim_copies(now=world.clock(), until=world.clock(), limit=9)
        assert left == dead_letters[2:]

    async def test_events_that_are_set_aside_and_their_orders_are_counted_by_consumer(self, world: World) -> None:
        first, second = await world.dead_letter("o1"), await world.dead_letter("o1", 2)
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([first, second, await world.dead_letter("o2")])
        async with world.effects.store("inventory") as work:
            await work.dead_letters.keep([evolve(first, consumer="inventory")])

        assert await world.effects.dead_letters.counts() == {"analytics": 3, "inventory": 1}
        assert await world.effects.dead_letters.parked() == {"analytics": 2, "inventory": 1}
        async with world.effects.store("inventory") as work:
            await work.dead_letters.remove(evolve(first, consumer="inventory"))
        assert await world.effects.dead_letters.parked() == {"analytics": 2}

    async def test_the_latest_failures_come_first_without_waiting_events(self, world: World) -> None:
        now = world.clock()
        failed = [
            await world.dead_letter(f"o{n}", error="KeyError", last_failed_at=now + timedelta(seconds=n))
            for n in range(1, 5)
        ]
        async with world.effects.store("analytics") as work:
            await work.dead_letters.keep([failed[2], failed[0], failed[3], failed[1]])
            await work.dead_letters.keep([await world.dead_letter("o1", 2)])

        latest = await world.effects.dead_letters.latest(3)

        assert [it.record.order_id for it in latest] == ["o4", "o3", "o2"]
        assert {it.error for it in await world.effects.dead_letters.latest(10)} == {"KeyError"}

    async def test_an_unrecognized_record_is_stored_once_with_its_exact_bytes(self, world: World) -> None:
        record = UnrecognizedRecord(
            topic="t",
            partition=1,
            offset=7,
            key=b"\0k",
            value=b"\xff\0",
            headers=(("a", b"\xfe"), ("a", b"")),
            problem="no address \0",
        )
        unrecognized = SetAsideRecord(consumer="analytics", record=record, found_at=world.clock())

        for again in (unrecognized, evolve(unrecognized, found_at=world.clock() + timedelta(1))):
            async with world.effects.store("analytics") as work:
                await work.dead_letters.set_aside([again])

        [kept] = await world.effects.dead_letters.unrecognized_records("analytics")
        assert evolve(kept.record, problem="") == evolve(record, problem="")
        assert kept.found_at == world.clock()
        assert await world.effects.dead_letters.unrecognized_records("inventory") == []
        assert await world.effects.dead_letters.unrecognized_counts() == {"analytics": 1}

    async def test_of_many_unrecognized_records_the_first_are_stored_and_all_are_counted(self, world: World) -> None:
        for start in (0, 400, 800, 800, 400, 1_200):  # some are read again
            records = [
                UnrecognizedRecord(topic="t", partition=offset % 3, offset=offset, key=b"", value=b"junk")
                for offset in range(start, start + 400)
            ]
            async with world.effects.store("analytics") as work:
                await work.dead_letters.set_aside(
                    [SetAsideRecord(consumer="analytics", record=it, found_at=world.clock()) for it in records]
                )

        stored = await world.effects.dead_letters.unrecognized_records("analytics", limit=5_000)
        assert len(stored) == MAX_SET_ASIDE
        assert {it.record.offset for it in stored} == set(range(MAX_SET_ASIDE))
        assert await world.effects.dead_letters.unrecognized_counts() == {"analytics": 1_600}
