"""Relays agree on the distribution of buckets when a topic grows. The Kafka clients are doubles."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from attrs import define, field
from orderflow.adapters.kafka import KafkaRelayTopic, KafkaSettings
from orderflow.adapters.kafka.relay.consumer_group import RelayGroup
from orderflow.adapters.kafka.relay.offset_metadata import OffsetMetadata
from orderflow.adapters.kafka.relay.transactional_producer import RelayProducer
from orderflow.application.event_log.records import LogRecord
from orderflow.application.noop import noop
from orderflow.application.relay.ports import OnFlushed
from orderflow.domain.errors import StreamUnavailable
from pytest_mock import MockerFixture

BUCKETS = 8


@define
class Cluster:
    """The committed metadata of the group. ``visible`` is the number of partitions that the relay reads."""

    visible: int
    metadata: dict[int, OffsetMetadata | None] = field(factory=dict)
    generation: bytes = b"7"

    def entry(self, partition: int) -> OffsetMetadata:
        entry = self.metadata[partition]
        assert entry is not None
        return entry


def relay_of(mocker: MockerFixture, cluster: Cluster, own: set[int]) -> KafkaRelayTopic:
    """Return a relay to which these partitions are assigned."""
    group = mocker.create_autospec(RelayGroup, instance=True)
    group.lost = False
    group.poll.side_effect = lambda wait: frozenset(own)
    group.generation.side_effect = lambda: cluster.generation
    group.partitions.side_effect = lambda: cluster.visible
    group.committed_metadata.side_effect = lambda partitions: {p: cluster.metadata.get(p) for p in partitions}
    group.ends.side_effect = lambda partitions: dict.fromkeys(partitions, 0)

    def publish(
        records: Sequence[LogRecord],
        metadata: Mapping[int, str],
        membership: bytes,
        on_flushed: OnFlushed = noop,
        *,
        partitions: int,
        ends: Mapping[int, int] | None = None,
        epoch: int = 1,
    ) -> None:
        if membership != cluster.generation:
            raise StreamUnavailable("Kafka", "fenced")
        cluster.metadata.update({p: OffsetMetadata.parse(text, BUCKETS) for p, text in metadata.items()})

    producer = mocker.create_autospec(RelayProducer, instance=True)
    producer.publish.side_effect = publish
    mocker.patch.object(RelayGroup, "join", side_effect=[group])
    relay = KafkaRelayTopic(KafkaSettings(bootstrap_servers="nowhere"), buckets=BUCKETS)
    relay._producer = producer
    return relay


def record(bucket: int, position: int) -> LogRecord:
    return LogRecord(
        bucket=bucket,
        position=position,
        order_id="A",
        sequence=1,
        type="order.created",
        event_id="E",
        occurred_at=datetime(2024, 5, 17, tzinfo=UTC),
        body=b"{}",
    )


async def test_a_relay_waits_until_every_partition_is_sealed_with_the_number_that_it_reads(
    mocker: MockerFixture,
) -> None:
    cluster = Cluster(
        visible=3, metadata={0: OffsetMetadata(2, True, {0: 5, 2: 6}), 1: OffsetMetadata(2, True, {1: 9})}
    )
    relay = relay_of(mocker, cluster, {0, 2})

    assert await relay.cursors() == {}

    assert (cluster.entry(0).partitions, cluster.entry(2).partitions) == (3, 3)
    cluster.metadata[1] = OffsetMetadata(3, False, {1: 9})
    assert await relay.cursors() == {0: 5, 3: None, 6: None, 2: 6, 5: None}


async def test_a_relay_that_reads_a_smaller_number_does_not_use_it(mocker: MockerFixture) -> None:
    cluster = Cluster(visible=2, metadata={0: OffsetMetadata(3, False, {0: 5}), 1: OffsetMetadata(2, True, {1: 9})})
    relay = relay_of(mocker, cluster, {0, 1})

    with pytest.raises(StreamUnavailable, match="shows 2 partitions, and cursors were committed for 3"):
        await relay.cursors()

    assert cluster.entry(0).partitions == 3


async def test_a_bucket_that_moved_continues_after_its_last_position(mocker: MockerFixture) -> None:
    cluster = Cluster(visible=2, metadata={0: OffsetMetadata(1, True, {0: 5, 1: 8})})
    first = relay_of(mocker, cluster, {0})
    await first.cursors()
    cluster.metadata[1] = OffsetMetadata(2, False, {})
    assert await first.cursors() == {0: 5, 2: None, 4: None, 6: None}

    await first.publish([record(0, 6)])

    second = relay_of(mocker, cluster, {1})
    assert (await second.cursors())[1] == 8


async def test_published_metadata_alone_determines_the_cursors_of_a_partition(mocker: MockerFixture) -> None:
    cluster = Cluster(visible=2, metadata={0: OffsetMetadata(2, True, {0: 5}), 1: None})
    relay = relay_of(mocker, cluster, {0})

    assert (await relay.cursors())[0] == 5


async def test_a_new_generation_publishes_nothing_with_the_state_of_the_last(mocker: MockerFixture) -> None:
    cluster = Cluster(visible=1)
    relay = relay_of(mocker, cluster, {0})
    await relay.cursors()
    before = cluster.entry(0)
    cluster.generation = b"8"

    with pytest.raises(StreamUnavailable, match="group has changed"):
        await relay.publish([record(0, 1)])

    assert cluster.entry(0) == before


async def test_after_a_failure_the_cursors_are_read_again(mocker: MockerFixture) -> None:
    cluster = Cluster(visible=1)
    relay = relay_of(mocker, cluster, {0})
    await relay.cursors()
    mocker.patch.object(relay._producer, "publish", side_effect=StreamUnavailable("Kafka", "no answer in time"))
    with pytest.raises(StreamUnavailable):
        await relay.publish([record(0, 1)])
    cluster.metadata[0] = OffsetMetadata(1, True, {0: 1})  # it was committed all the same

    assert (await relay.cursors())[0] == 1


async def test_a_record_of_another_relays_bucket_is_refused(mocker: MockerFixture) -> None:
    relay = relay_of(
        mocker, Cluster(visible=2, metadata={0: OffsetMetadata(2, True, {}), 1: OffsetMetadata(2, True, {})}), {0}
    )
    await relay.cursors()

    with pytest.raises(StreamUnavailable, match="bucket 1 is assigned to another relay"):
        await relay.publish([record(1, 1)])
