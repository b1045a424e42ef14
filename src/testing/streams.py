"""The promises of live streams on every storage: no gap, no double, only what the reader may see, once per ticket."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from attrs import evolve

from ..adapters.wakeup import LocalWakeup
from ..application.auth import Grant, Scope
from ..application.streams import feed as feeds
from ..application.streams import follow_orders
from ..application.streams.feed import SLOW_READER, StreamEnded
from ..application.streams.follow_orders import Changed, StreamFilter
from ..application.streams.ports import StreamTicket
from ..domain.actor import Actor
from ..domain.errors import InvalidInput
from .order_lives import CUSTOMER, OTHER_RESTAURANT, OTHER_SHIPPER, RESTAURANT, SHIPPER
from .orders import ADMIN, AT, assigned, cancelled, placed
from .stream_reader import StreamReader, feed_of


@pytest.mark.asyncio
class StreamsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_a_stream_begins_with_the_orders_that_are_not_final_and_then_has_each_change(
        self, storage: Any
    ) -> None:
        await placed(storage, "O1")
        await placed(storage, "O2")
        await cancelled(storage, "O2")

        async with StreamReader(storage) as reader:
            snapshot = await reader.snapshot()
            await assigned(storage, "O1", "S1")
            await placed(storage, "O3")
            changes = await reader.changes(3)

        assert snapshot == ["O1"]
        assert sorted(changes) == [("O1", 2), ("O1", 3), ("O3", 1)]

    async def test_a_snapshot_of_many_orders_comes_in_pages_and_only_the_last_has_a_place(
        self, storage: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(follow_orders, "PAGE", 2)
        for number in range(5):
            await placed(storage, f"O{number}", at=AT + timedelta(minutes=number))

        async with StreamReader(storage) as reader:
            pages = [await reader.message() for _ in range(3)]

        assert [[order.id for order in page.orders] for page in pages] == [["O4", "O3"], ["O2", "O1"], ["O0"]]
        assert [(page.first, bool(page.place)) for page in pages] == [(True, False), (False, False), (False, True)]

    async def test_what_changes_while_the_snapshot_is_read_is_sent_once(
        self, storage: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(follow_orders, "PAGE", 1)
        await placed(storage, "O1")
        await placed(storage, "O2", at=AT + timedelta(minutes=1))
        await placed(storage, "O3", at=AT + timedelta(minutes=2))

        async with StreamReader(storage) as reader:
            first = await reader.message()
            for order_id in ("O1", "O2", "O3"):  # O3 was sent, the others were not
                await assigned(storage, order_id, "S1")
            rest = [await reader.message() for _ in range(2)]
            changes = await reader.changes(2)
            await cancelled(storage, "O2")
            later = await reader.changes(2)

        assert [(page.orders[0].id, page.orders[0].version) for page in (first, *rest)] == [
            ("O3", 1),
            ("O2", 3),
            ("O1", 3),
        ]
        assert changes == [("O3", 2), ("O3", 3)]
        assert later == [("O2", 4), ("O2", 5)]

    @pytest.mark.parametrize("seed", range(3))
    async def test_a_stream_that_is_cut_anywhere_resumes_without_a_gap_or_a_double(
        self, storage: Any, seed: int
    ) -> None:
        random = Random(seed)
        got: list[tuple[str, int]] = []
        place: str | None = None
        expected = 0
        for round_ in range(6):
            for number in range(random.randrange(4)):
                await placed(storage, f"O{round_}-{number}")
                await assigned(storage, f"O{round_}-{number}", "S1")
                expected += 3
            if place is None:
                got, expected = [], 0
            async with StreamReader(storage, after=place) as reader:
                if place is None:
                    await reader.snapshot()
                missing = expected - len(got)
                got += await reader.changes(random.randrange(missing + 1))
                place = reader.place
        async with StreamReader(storage, after=place) as reader:
            got += await reader.changes(expected - len(got))
            assert await reader.is_idle()

        assert len(got) == len(set(got)) == expected
        for order_id in {order_id for order_id, _ in got}:
            assert [sequence for each, sequence in got if each == order_id] == [1, 2, 3]

    async def test_a_stream_resumes_on_a_process_that_is_behind_the_one_before(self, storage: Any) -> None:
        behind = feed_of(storage)
        async with StreamReader(storage) as reader, StreamReader(storage, feed=behind) as first:
            await reader.snapshot()
            await first.snapshot()
            behind._task.cancel()  # type: ignore[union-attr]
            await placed(storage, "O1")
            await placed(storage, "O2")
            assert len(await reader.changes(2)) == 2
            async with StreamReader(storage, feed=behind, after=reader.place) as resumed:
                behind._task = asyncio.create_task(behind._run(LocalWakeup().listener()))
                await placed(storage, "O3")

                assert await resumed.changes(1) == [("O3", 1)]
                assert await first.changes(3)
                assert await resumed.is_idle()

    @pytest.mark.parametrize("far", ["too far behind", "ahead of the log", "of another epoch", "of fewer buckets"])
    async def test_a_stream_that_cannot_resume_begins_with_a_snapshot(
        self, storage: Any, far: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = await feed_of(storage).place()
        await placed(storage, "O1")
        match far:
            case "too far behind":
                monkeypatch.setattr(follow_orders, "MOST_RESUMED", 0)
            case "ahead of the log":
                place = evolve(place, positions=tuple(9 for _ in place.positions))
            case "of another epoch":
                place = evolve(place, epoch=place.epoch + 1)
            case _:
                place = evolve(place, positions=place.positions[1:])

        async with StreamReader(storage, after=str(place)) as reader:
            assert await reader.snapshot() == ["O1"]

    @pytest.mark.parametrize(
        ("by", "wanted", "seen"),
        [
            (ADMIN, {}, {"O1", "O2"}),
            (ADMIN, {"restaurant_id": "R1"}, {"O1"}),
            (ADMIN, {"customer_id": "C2"}, {"O2"}),
            (ADMIN, {"restaurant_id": "R1", "customer_id": "C2"}, set()),
            (ADMIN, {"shipper_id": "S2"}, {"O2"}),
            (CUSTOMER, {}, {"O1"}),
            (RESTAURANT, {}, {"O1"}),
            (OTHER_RESTAURANT, {}, {"O2"}),
            (SHIPPER, {}, {"O1"}),
            (OTHER_SHIPPER, {}, {"O2"}),
        ],
    )
    async def test_a_reader_gets_the_changes_of_its_own_orders(
        self, storage: Any, by: Actor, wanted: dict[str, str], seen: set[str]
    ) -> None:
        async with StreamReader(storage, by=by, wanted=StreamFilter(**wanted)) as reader:
            await reader.snapshot()
            await placed(storage, "O1")
            await placed(storage, "O2", customer_id="C2", restaurant_id="R2")
            await assigned(storage, "O1", "S1")
            await assigned(storage, "O2", "S2")
            got = await reader.all()
            place = reader.place
            await cancelled(storage, "O1")
            await cancelled(storage, "O2")
            got += await reader.all()
        async with StreamReader(storage, by=by, wanted=StreamFilter(**wanted), after=place) as resumed:
            again = await resumed.all()

        assert {order_id for order_id, _ in got} == seen
        assert {order_id for order_id, _ in again} == seen
        assert len(got) == len(set(got))

    async def test_a_reader_may_not_ask_for_the_orders_of_others(self, storage: Any) -> None:
        with pytest.raises(InvalidInput):
            async with StreamReader(storage, by=RESTAURANT, wanted=StreamFilter(restaurant_id="R2")) as reader:
                await reader.message()

    async def test_a_shipper_gets_the_event_by_which_it_loses_the_order_and_no_more_of_it(self, storage: Any) -> None:
        await placed(storage, "O1")
        await assigned(storage, "O1", "S1")
        async with StreamReader(storage, by=SHIPPER) as reader:
            assert await reader.snapshot() == ["O1"]
            await assigned(storage, "O1", "S2")
            [lost] = [await reader.message()]
            await cancelled(storage, "O1")
            await placed(storage, "O2")
            await assigned(storage, "O2", "S1")
            later = await reader.changes(2)

        assert isinstance(lost, Changed)
        assert (lost.change.record.type, lost.order) == ("order.shipper_assigned", None)
        assert later == [("O2", 2), ("O2", 3)]

    async def test_a_shipper_whose_order_is_cancelled_gets_the_cancellation(self, storage: Any) -> None:
        await placed(storage, "O1")
        await assigned(storage, "O1", "S1")
        async with StreamReader(storage, by=SHIPPER) as reader:
            await reader.snapshot()
            place = reader.place
            await cancelled(storage, "O1")
            live = await reader.changes(2)
        async with StreamReader(storage, by=SHIPPER, after=place) as resumed:
            assert await resumed.changes(2) == live == [("O1", 4), ("O1", 5)]
            assert await resumed.is_idle()

    async def test_only_events_of_the_types_that_are_asked_for_come(self, storage: Any) -> None:
        async with StreamReader(storage, wanted=StreamFilter(types=("order.shipper_assigned",))) as reader:
            await reader.snapshot()
            await placed(storage, "O1")
            await assigned(storage, "O1", "S1")

            assert await reader.all() == [("O1", 2)]

    async def test_a_reader_that_is_too_slow_is_cut_off_and_resumes_where_it_was(
        self, storage: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feeds, "MOST_WAITING", 2)
        feed = feed_of(storage)
        async with StreamReader(storage, feed=feed) as slow, StreamReader(storage, feed=feed) as quick:
            await slow.snapshot()
            await quick.snapshot()
            for number in range(3):
                await placed(storage, f"O{number}")
                assert await quick.changes(1) == [(f"O{number}", 1)]
            with pytest.raises(StreamEnded) as ended:
                await slow.message()
            place = slow.place
        async with StreamReader(storage, after=place) as resumed:
            assert len(await resumed.changes(3)) == 3

        assert ended.value.reason == SLOW_READER

    async def test_a_ticket_is_taken_once_by_one_of_many(self, storage: Any) -> None:
        grant = Grant(Actor.parse("restaurant:R7"), frozenset({Scope.READ}), "till", datetime(2030, 1, 1, tzinfo=UTC))
        ticket = StreamTicket(grant=grant, token="digest")
        await storage.stream_tickets.add("d1", ticket, seconds=30)

        taken = await asyncio.gather(*(storage.stream_tickets.take("d1") for _ in range(5)))

        assert sorted(taken, key=bool) == [None] * 4 + [ticket]
        assert await storage.stream_tickets.take("d1") is None

    async def test_a_ticket_that_has_expired_is_not_taken_and_is_deleted(self, storage: Any) -> None:
        ticket = StreamTicket(grant=Grant(ADMIN))
        await storage.stream_tickets.add("d1", ticket, seconds=-1)
        assert await storage.stream_tickets.take("d1") is None

        await storage.stream_tickets.add("d1", ticket, seconds=-1)
        await storage.stream_tickets.add("d2", ticket, seconds=30)

        assert await storage.stream_tickets.take("d1") is None
        assert await storage.stream_tickets.take("d2") == ticket
