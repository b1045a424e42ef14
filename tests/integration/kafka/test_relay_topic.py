"""Every event of the log stands on the topic exactly once and in order, whatever happens to relays and broker."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from time import monotonic

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]
from orderflow.adapters import wire
from orderflow.adapters.kafka import KafkaRelayTopic, KafkaSettings
from orderflow.adapters.kafka.relay import transactional_producer as relay_producer
from orderflow.adapters.kafka.relay.transactional_producer import RelayProducer
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.event_log.records import RELAY, LogRecord, bucket_of
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay
from orderflow.domain.errors import LogBehindTopic, LogGap, StreamUnavailable

from tests.conftest import FIGURE
from tests.support.kafka import KafkaBroker
from tests.support.kafka.group_lag import group_lag
from tests.support.process import OwnProcess
from tests.support.waiting import eventually, eventually_async

from .conftest import TopicRecord
from .relay_program import EVENTS_PER_ORDER, QUICK, add_orders

Topic = Callable[[], Sequence[TopicRecord]]
NewRelay = Callable[[KafkaSettings], KafkaRelayTopic]
PROGRAM = Path(__file__).with_name("relay_program.py")
SESSION_SECONDS, TRANSACTION_SECONDS = (int(QUICK[name]) / 1000 for name in QUICK if name.endswith("timeout.ms"))


@pytest.fixture
async def storage() -> MemoryStorage:
    """A log of fifty orders."""
    storage = MemoryStorage()
    await add_orders(storage, range(50))
    return storage


@pytest.fixture
async def new_relay() -> AsyncIterator[NewRelay]:
    """Makes a relay that is closed when the test ends, however it ends."""
    async with AsyncExitStack() as at_the_end:

        def make(settings: KafkaSettings) -> KafkaRelayTopic:
            relay = KafkaRelayTopic(settings)
            at_the_end.push_async_callback(relay.close)
            return relay

        yield make


@pytest.fixture
def relay(new_relay: NewRelay, kafka_settings: KafkaSettings) -> KafkaRelayTopic:
    return new_relay(kafka_settings)


async def published(storage: MemoryStorage, relay: KafkaRelayTopic, *, events: int) -> None:
    """Publish until so many events are."""
    pending, count, problem = PublishPending(storage.log, relay, storage.cursors), 0, ""

    async def all_are() -> bool:
        nonlocal count, problem
        try:
            count += await pending()
        except StreamUnavailable as error:  # the relays' group changes; a relay asks again
            problem = str(error)
        return count >= events

    try:
        await eventually_async(all_are, deadline=400, that=f"{events} events are published")
    except AssertionError as error:
        error.add_note(f"{count} were; the latest problem: {problem}")
        raise
    await pending.store_cursors()


async def own_of(relay: KafkaRelayTopic) -> Mapping[int, int | None]:
    """The relay's buckets; none while its group changes."""
    with suppress(StreamUnavailable):
        return await relay.cursors()
    return {}


async def records_of(storage: MemoryStorage) -> list[LogRecord]:
    heads = await storage.log.heads()
    return list(await storage.log.read(dict.fromkeys(heads, 0), limit=10_000_000))


def each_once_and_in_order(seen: Sequence[TopicRecord], *, events: int) -> bool:
    """Return whether positions are dense from 1 in each bucket of the topic, and sequences in each order."""
    positions, sequences = defaultdict(list), defaultdict(list)
    for record in seen:
        bucket, position = record.address
        positions[bucket].append(position)
        sequences[record.key].append(int(record.headers["sequence"]))
    return len(seen) == events and all(
        numbers == list(range(1, len(numbers) + 1)) for numbers in (*positions.values(), *sequences.values())
    )


def _stands_still(process: OwnProcess) -> bool:
    return psutil.Process(process.pid).status() == psutil.STATUS_STOPPED


def in_order(seen: Sequence[TopicRecord]) -> bool:
    """Return whether each bucket's positions ascend without a gap, from any first one."""
    positions = defaultdict(list)
    for record in seen:
        bucket, position = record.address
        positions[bucket].append(position)
    return all(numbers == list(range(numbers[0], numbers[-1] + 1)) for numbers in positions.values())


class TestOneRelay:
    async def test_publishes_each_record_as_it_stands_in_the_log(
        self, storage: MemoryStorage, relay: KafkaRelayTopic, topic_now: Topic, kafka_settings: KafkaSettings
    ) -> None:
        records = {(r.bucket, r.position): r for r in await records_of(storage)}

        await published(storage, relay, events=200)

        seen = topic_now()
        assert each_once_and_in_order(seen, events=200)
        for each in seen:
            record = records[each.address]
            assert (each.key, each.value) == (record.order_id, record.body)
            assert each.headers == {n: said.decode() for n, said in wire.headers(record, source=kafka_settings.source)}
            assert each.partition == record.bucket % 3

    async def test_goes_on_where_the_last_one_ended(
        self,
        new_relay: NewRelay,
        storage: MemoryStorage,
        kafka_settings: KafkaSettings,
        relay: KafkaRelayTopic,
        topic_now: Topic,
    ) -> None:
        await published(storage, relay, events=200)
        await relay.close()
        await add_orders(storage, range(50, 60))
        successor = new_relay(kafka_settings)

        await published(storage, successor, events=40)

        await successor.close()
        assert each_once_and_in_order(topic_now(), events=240)

    async def test_is_not_behind_by_kafkas_own_measure_soon_after_another_process_has_written(
        self, storage: MemoryStorage, relay: KafkaRelayTopic, kafka_settings: KafkaSettings
    ) -> None:
        await published(storage, relay, events=200)
        stranger = Producer({"bootstrap.servers": kafka_settings.bootstrap_servers})
        for partition in range(3):
            stranger.produce(kafka_settings.topic, b"not an event", partition=partition)
        assert stranger.flush(30) == 0

        for orders in (range(50, 90), range(100, 140)):
            await add_orders(storage, orders)
            await published(storage, relay, events=160)

        await is_at_the_ends(kafka_settings)

    async def test_refuses_a_record_that_leaves_some_out(self, storage: MemoryStorage, relay: KafkaRelayTopic) -> None:
        first, _, third, *_ = [r for r in await records_of(storage) if r.bucket == bucket_of("order-0")]
        await eventually_async(relay.cursors)
        await relay.publish([first])

        with pytest.raises(LogGap) as refused:
            await relay.publish([third])

        assert (refused.value.bucket, refused.value.cursor, refused.value.position) == (first.bucket, 1, 3)

    async def test_publishes_a_batch_whole_or_not_at_all(
        self, storage: MemoryStorage, relay: KafkaRelayTopic, kafka_settings: KafkaSettings, topic_now: Topic
    ) -> None:
        before = await eventually_async(relay.cursors)
        records = await records_of(storage)
        too_long = records[-1]._replace(body=b"x" * 1_100_000)  # a broker takes 1,048,588 bytes by default

        with pytest.raises(StreamUnavailable, match="MSG_SIZE_TOO_LARGE"):
            await relay.publish([*records[:-1], too_long])

        assert topic_now() == []
        assert await eventually_async(relay.cursors) == before

    async def test_goes_on_with_a_new_producer_when_its_own_was_fenced(
        self,
        storage: MemoryStorage,
        relay: KafkaRelayTopic,
        kafka_settings: KafkaSettings,
        topic_now: Topic,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(relay_producer, "uuid4", lambda: "the same")
            first, *_ = [r for r in await records_of(storage) if r.bucket == bucket_of("order-0")]
            await eventually_async(relay.cursors)
            await relay.publish([first])
            rival = RelayProducer(kafka_settings, 10)
            await asyncio.to_thread(rival._ready)

        with pytest.raises(StreamUnavailable, match="FENCED"):
            await PublishPending(storage.log, relay, storage.cursors)()
        await published(storage, relay, events=199)

        rival.close()
        assert each_once_and_in_order(topic_now(), events=200)


async def is_at_the_ends(settings: KafkaSettings) -> None:
    async def at_the_end() -> bool:
        known = await group_lag(settings, settings.relay_group)
        return sum(each.end for each in known) > 200 and all(each.committed == each.end for each in known)

    await eventually_async(at_the_end, that="the group has committed the end of each partition")


class TestCursors:
    async def test_of_a_new_topic_are_unknown_and_the_floor_says_where_to_go_on(
        self, storage: MemoryStorage, relay: KafkaRelayTopic, topic_now: Topic
    ) -> None:
        floor = {bucket: head - 1 for bucket, head in (await storage.log.heads()).items()}
        await storage.cursors.put(RELAY, floor)

        await published(storage, relay, events=len(floor))

        assert {each.address for each in topic_now()} == {(bucket, at + 1) for bucket, at in floor.items()}

    async def test_ahead_of_the_log_stop_the_relay(
        self, storage: MemoryStorage, relay: KafkaRelayTopic, topic_now: Topic
    ) -> None:
        await published(storage, relay, events=200)
        restored = MemoryStorage()
        await add_orders(restored, range(40))

        with pytest.raises(LogBehindTopic):
            await eventually_async(PublishPending(restored.log, relay, restored.cursors))

        assert len(topic_now()) == 200

    async def test_of_a_bucket_without_events_stay_unknown(
        self, new_relay: NewRelay, storage: MemoryStorage, relay: KafkaRelayTopic, kafka_settings: KafkaSettings
    ) -> None:
        await published(storage, relay, events=200)
        await relay.close()
        successor = new_relay(kafka_settings)

        cursors = await eventually_async(successor.cursors)

        await successor.close()
        assert cursors == {bucket: (await storage.log.heads()).get(bucket) for bucket in range(256)}

    async def test_of_one_partition_fit_whatever_the_positions(
        self, new_relay: NewRelay, kafka: KafkaBroker, topic_name: str, storage: MemoryStorage
    ) -> None:
        kafka.create_topic(topic_name, partitions=1)
        settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)
        relay, last = new_relay(settings), 2**63 - 1
        await eventually_async(relay.cursors)
        (record, *_) = await records_of(storage)

        await relay.publish([record._replace(bucket=b, position=last) for b in range(256)])
        await relay.close()

        successor = new_relay(settings)
        cursors = await eventually_async(successor.cursors)
        await successor.close()
        assert cursors == dict.fromkeys(range(256), last)


class TestSeveralRelays:
    async def test_share_the_buckets_and_one_that_leaves_hands_its_own_over(
        self, new_relay: NewRelay, kafka_settings: KafkaSettings, topic_now: Topic, storage: MemoryStorage
    ) -> None:
        relays = [new_relay(kafka_settings) for _ in range(3)]

        async def all_have_some() -> bool:
            shares = await asyncio.gather(*[own_of(relay) for relay in relays])
            return all(shares) and sorted(b for share in shares for b in share) == list(range(256))

        await eventually_async(all_have_some, that="every relay has its share")
        for relay in relays[1:]:
            await relay.close()

        await published(storage, relays[0], events=200)

        assert each_once_and_in_order(topic_now(), events=200)

    async def test_one_whose_partitions_moved_meanwhile_publishes_nothing(
        self,
        new_relay: NewRelay,
        kafka_settings: KafkaSettings,
        topic_now: Topic,
        storage: MemoryStorage,
        relay: KafkaRelayTopic,
    ) -> None:
        own = await eventually_async(relay.cursors)
        records = [record for record in await records_of(storage) if record.bucket in own]
        membership = relay._group.generation() if relay._group else b""
        newcomer = new_relay(kafka_settings)

        async def shared() -> bool:
            return all(await asyncio.gather(own_of(newcomer), own_of(relay)))

        await eventually_async(shared)
        zombie = RelayProducer(kafka_settings, 10)
        with pytest.raises(StreamUnavailable, match="ILLEGAL_GENERATION"):
            await asyncio.to_thread(zombie.publish, records, {0: "1;3;p;"}, membership, partitions=3, ends={0: 0})

        await newcomer.close()
        zombie.close()
        assert topic_now() == []

    async def test_publish_each_once_while_one_is_paused_past_its_session_and_one_is_killed(
        self, kafka_settings: KafkaSettings, topic_now: Topic, tmp_path: Path
    ) -> None:
        orders = 300
        arguments = [kafka_settings.bootstrap_servers, kafka_settings.topic, str(orders), "10"]
        relays = [OwnProcess([sys.executable, str(PROGRAM), *arguments], tmp_path / f"relay-{n}.log") for n in range(3)]
        paused, killed, _ = relays

        def count() -> int:
            return len(topic_now())

        try:
            for relay in relays:
                relay.start()
            eventually(lambda: count() > 300, every=0.2, that="publishing has begun")
            paused.pause()
            killed.kill()
            eventually(lambda: each_once_and_in_order(topic_now(), events=orders * EVENTS_PER_ORDER), every=1)
            before = paused.last_words(500)
            paused.resume()
            eventually(lambda: paused.last_words(500) != before, that="the paused relay notices")
        finally:
            for relay in relays:
                print(relay.last_words(8))
                relay.stop()

        assert each_once_and_in_order(topic_now(), events=orders * EVENTS_PER_ORDER)


class TestOpenTransactions:
    async def test_of_a_relay_that_stands_still_and_of_one_that_is_killed_are_waited_for_and_neither_publishes_twice(
        self,
        new_relay: NewRelay,
        kafka_settings: KafkaSettings,
        topic_now: Topic,
        storage: MemoryStorage,
        tmp_path: Path,
        record_property: Callable[[str, object], None],
    ) -> None:
        arguments = [sys.executable, str(PROGRAM), kafka_settings.bootstrap_servers, kafka_settings.topic, "50", "10"]
        paused, killed = (OwnProcess([*arguments, fate], tmp_path / fate) for fate in ("SIGSTOP", "SIGKILL"))
        successor = new_relay(kafka_settings)
        try:
            paused.start()
            eventually(lambda: _stands_still(paused), that="the first relay has stopped itself")
            killed.start()
            eventually(lambda: not killed.running, that="the second has taken over, and is dead")
            began = monotonic()
            await published(storage, successor, events=180)
            seconds = monotonic() - began
            before = paused.last_words(500)
            paused.resume()
            eventually(lambda: "relay waits" in paused.last_words(500).removeprefix(before))
            noticed = paused.last_words(500).removeprefix(before)
        finally:
            paused.stop()
            killed.stop()

        assert each_once_and_in_order(topic_now(), events=200)
        assert "FENCED" in noticed or "_TIMED_OUT" in noticed
        assert "Traceback" not in noticed
        record_property(
            FIGURE,
            f"two relays' open transactions: taken over {seconds:.1f} s after the second one was killed "
            f"(session {SESSION_SECONDS:g} s, transaction {TRANSACTION_SECONDS:g} s)",
        )


class TestGrowth:
    async def test_buckets_move_to_new_partitions_without_a_loss_or_a_double(
        self,
        new_relay: NewRelay,
        kafka: KafkaBroker,
        kafka_settings: KafkaSettings,
        topic_now: Topic,
        storage: MemoryStorage,
    ) -> None:
        soon = KafkaSettings(
            bootstrap_servers=kafka_settings.bootstrap_servers,
            topic=kafka_settings.topic,
            properties={"topic.metadata.refresh.interval.ms": "500"},
        )
        stop = asyncio.Event()
        relays = [new_relay(soon) for _ in range(2)]
        runs = [
            RunRelay(PublishPending(storage.log, relay, storage.cursors, batch=20), LocalWakeup().listener(), 0.05)
            for relay in relays
        ]
        running = [asyncio.create_task(run(stop)) for run in runs]
        await eventually_async(lambda: sum(run.published for run in runs) == 200)

        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        admin.create_partitions([NewPartitions(kafka_settings.topic, 5)])[kafka_settings.topic].result(30)
        for wave in range(4):
            await add_orders(storage, range(50 + 50 * wave, 100 + 50 * wave))
            await eventually_async(lambda n=wave: sum(run.published for run in runs) >= 400 + 200 * n)
        stop.set()
        await asyncio.gather(*running)
        seen = topic_now()
        assert {each.partition for each in seen} == {0, 1, 2, 3, 4}
        assert sorted(each.address for each in seen) == sorted(
            (r.bucket, r.position) for r in await records_of(storage)
        )
        for partition in range(5):
            assert in_order([each for each in seen if each.partition == partition])
