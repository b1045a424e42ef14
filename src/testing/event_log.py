"""The promises of every event log."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from ..adapters import wire
from ..application.event_log.records import LogRecord, bucket_of
from ..application.request_context import Request, answering
from .orders import AT, assigned, commit, failed_payments, in_bucket, place, placed
from .waiting import eventually_async


class EventLogContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_an_empty_log_has_no_heads_and_no_records(self, storage: Any) -> None:
        assert await storage.log.heads() == {}
        assert list(await storage.log.read(dict.fromkeys(range(256), 0), limit=10)) == []
        assert list(await storage.log.read({}, limit=10)) == []

    async def test_a_record_is_the_event_at_its_address(self, storage: Any) -> None:
        change = place()

        with answering(Request(correlation_id="corr-1", traceparent="00-ab-cd-01")):
            await commit(storage, change)

        [record] = await storage.log.history("O1")
        assert record == wire.record(
            change.events[0], bucket=bucket_of("O1"), position=1, correlation_id="corr-1", traceparent="00-ab-cd-01"
        )
        assert wire.decode_record(record) == change.events[0]

    async def test_the_times_of_an_event_are_stored_with_it(self, storage: Any) -> None:
        requested_at = datetime.now(UTC)
        with answering(Request(requested_at=requested_at)):
            await placed(storage, "O1")
        await assigned(storage, "O1", "S1")
        after = datetime.now(UTC)

        first, second, third = await storage.log.times("O1")

        assert (first.sequence, first.requested_at) == (1, requested_at)
        assert (second.sequence, second.requested_at, third.sequence) == (2, None, 3)
        assert requested_at <= first.committed_at <= second.committed_at <= third.committed_at <= after
        assert list(await storage.log.times("none")) == []

    async def test_heads_are_the_last_positions(self, storage: Any) -> None:
        await placed(storage, "O1")
        await placed(storage, "O2")
        await assigned(storage, "O2", "S1")

        assert await storage.log.heads() == {bucket_of("O1"): 1, bucket_of("O2"): 3}

    async def test_from_a_time_on_is_the_first_event_in_each_bucket_that_happened_then_or_later(
        self, storage: Any
    ) -> None:
        mates = in_bucket(7, 2)
        other = in_bucket(8, 1)[0]
        for order_id, minutes in ((mates[0], 0), (other, 1), (mates[1], 5)):
            await placed(storage, order_id, at=AT + timedelta(minutes=minutes))

        found = [await storage.log.since(AT + timedelta(minutes=minutes)) for minutes in (0, 1, 2, 6)]

        assert found == [{7: 1, 8: 1}, {7: 2, 8: 1}, {7: 2}, {}]

    async def test_the_history_of_an_order_is_its_own_by_sequence(self, storage: Any) -> None:
        mates = in_bucket(7, 2)
        for order_id in mates:
            await placed(storage, order_id)
        await failed_payments(storage, mates[0], 3)
        await failed_payments(storage, mates[1], 1)

        history = await storage.log.history(mates[0])

        assert {record.order_id for record in history} == {mates[0]}
        assert [record.sequence for record in history] == [1, 2, 3, 4]

    async def test_an_order_that_is_not_there_has_no_history(self, storage: Any) -> None:
        for order_id in ("O1", "nul\0"):
            assert list(await storage.log.history(order_id)) == []

    async def test_only_the_named_buckets_are_read_after_their_positions(self, storage: Any) -> None:
        await placed(storage, "O1")
        await failed_payments(storage, "O1", 3)
        await placed(storage, "O2")

        records = await storage.log.read({bucket_of("O1"): 2}, limit=10)

        assert [(record.order_id, record.position) for record in records] == [("O1", 3), ("O1", 4)]

    async def test_a_reader_that_is_ahead_of_the_log_reads_nothing(self, storage: Any) -> None:
        await placed(storage, "O1")

        assert list(await storage.log.read({bucket_of("O1"): 1}, limit=10)) == []
        assert list(await storage.log.read({bucket_of("O1"): 99}, limit=10)) == []

    async def test_reading_on_in_small_batches_misses_and_repeats_nothing(self, storage: Any) -> None:
        await _three_buckets(storage)

        follower = Follower(storage)
        while await follower.step(limit=2):
            pass

        assert follower.faults == []
        assert follower.positions == await storage.log.heads()

    async def test_a_batch_holds_no_more_than_its_limit(self, storage: Any) -> None:
        await _three_buckets(storage)

        for limit in (1, 2, 5, 7):
            records = await storage.log.read(dict.fromkeys(range(256), 0), limit=limit)
            assert 1 <= len(records) <= limit

    async def test_the_bodies_of_a_batch_have_no_more_bytes_than_its_limit(self, storage: Any) -> None:
        await _three_buckets(storage)
        everything = await storage.log.read(dict.fromkeys(range(256), 0), limit=100)
        largest, total = (find(len(record.body) for record in everything) for find in (max, sum))

        for max_bytes in (largest, 2 * largest, total - 1):
            records = await storage.log.read(dict.fromkeys(range(256), 0), limit=100, max_bytes=max_bytes)
            assert sum(len(record.body) for record in records) <= max_bytes
            assert max_bytes - largest < sum(len(record.body) for record in records)
            assert all(
                record.position == 1 or (record.bucket, record.position - 1) in {it.address for it in records}
                for record in records
            )
        assert len(await storage.log.read(dict.fromkeys(range(256), 0), limit=100, max_bytes=total)) == len(everything)

    async def test_an_event_larger_than_the_limit_comes_alone(self, storage: Any) -> None:
        await _three_buckets(storage)

        records = await storage.log.read(dict.fromkeys(range(256), 0), limit=100, max_bytes=1)

        assert [record.position for record in records] == [1]

    async def test_records_after_given_heads_are_not_returned(self, storage: Any) -> None:
        buckets = await _three_buckets(storage)
        heads = dict.fromkeys(buckets, 1)

        records = await storage.log.read(dict.fromkeys(range(256), 0), limit=100, heads=heads)

        assert sorted(record.address for record in records) == [(bucket, 1) for bucket in sorted(buckets)]

    async def test_a_long_bucket_starves_no_other(self, storage: Any) -> None:
        buckets = await _three_buckets(storage)

        records = await storage.log.read(dict.fromkeys(range(256), 0), limit=6)

        assert {record.bucket for record in records} == set(buckets)

    async def test_a_reader_during_concurrent_commits_gets_each_record_once_and_in_order(self, storage: Any) -> None:
        ids = [f"O{number}" for number in range(8)]
        follower = Follower(storage)
        following = asyncio.create_task(follower.until(len(ids) * 7))

        async def live(order_id: str) -> None:
            await placed(storage, order_id)
            await assigned(storage, order_id, "S1")
            await failed_payments(storage, order_id, 4)

        await asyncio.gather(*(live(order_id) for order_id in ids))

        await following
        assert follower.faults == []
        assert follower.positions == await storage.log.heads()


class Follower:
    """Reads the log from its beginning; ``faults`` are the records that did not follow the one before them."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.positions: dict[int, int] = {}
        self.sequences: dict[str, int] = {}
        self.faults: list[LogRecord] = []
        self.seen = 0

    async def step(self, limit: int = 50) -> int:
        after = {bucket: self.positions.get(bucket, 0) for bucket in range(256)}
        records = await self.storage.log.read(after, limit=limit)
        for record in records:
            in_place = record.position == self.positions.get(record.bucket, 0) + 1
            if not in_place or record.sequence != self.sequences.get(record.order_id, 0) + 1:
                self.faults.append(record)
            self.positions[record.bucket] = record.position
            self.sequences[record.order_id] = record.sequence
        self.seen += len(records)
        return len(records)

    async def until(self, events: int) -> None:
        async def there() -> bool:
            await self.step()
            return self.seen >= events

        await eventually_async(there, every=0.001, that=f"{events} events are read")


async def _three_buckets(storage: Any) -> list[int]:
    """Ten events in the first, two in the second, one in the third."""
    for order_id, more in (("O1", 9), ("O2", 1), ("O3", 0)):
        await placed(storage, order_id)
        await failed_payments(storage, order_id, more)
    return [bucket_of(order_id) for order_id in ("O1", "O2", "O3")]
