"""Checks that the topic is as configured, survives the loss of a broker, and retains events long enough."""

from collections.abc import Iterator

from ..facts import GroupFacts, StreamFacts, TopicFacts
from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem, warning

_ALTER = "kafka-configs.sh --bootstrap-server HOST --alter --entity-type topics --entity-name TOPIC --add-config"
_REASSIGN = "give each partition three replicas with kafka-reassign-partitions.sh, and set ORDERFLOW_TOPIC_REPLICATION"

MISSING = problem(
    "topic_missing", "the topic does not exist", expected="the configured topic", fix="`orderflow topics create`"
)
PARTITIONS = warning(
    "topic_partitions",
    "the number of partitions differs from the settings",
    expected="the number in ORDERFLOW_TOPIC_PARTITIONS",
    fix="set ORDERFLOW_TOPIC_PARTITIONS to the current number; kafka-topics.sh --alter --partitions N adds partitions",
)
REPLICATION = warning(
    "topic_replication",
    "a partition has a single replica, which is lost with its broker",
    expected="three replicas",
    fix=_REASSIGN,
)
FEWER_COPIES = warning(
    "topic_fewer_copies",
    "a partition has fewer replicas than configured",
    expected="the number in ORDERFLOW_TOPIC_REPLICATION",
    fix=_REASSIGN,
)
ONE_IN_SYNC = warning(
    "topic_min_insync_low",
    "Kafka acknowledges writes that only one broker has",
    expected="min.insync.replicas=2 with three replicas",
    fix=f"`{_ALTER} min.insync.replicas=2`",
)
ALL_IN_SYNC = warning(
    "topic_min_insync_high",
    "nothing can be published while one broker is down",
    expected="min.insync.replicas below the number of replicas",
    fix=f"`{_ALTER} min.insync.replicas=2`, with three replicas",
)
COMPACTED = problem(
    "topic_compacted",
    "the topic is compacted and keeps only the last event of each order",
    expected="cleanup.policy=delete",
    fix=f"`{_ALTER} cleanup.policy=delete`",
)
RETENTION = warning(
    "topic_retention",
    "the topic deletes events earlier than configured",
    expected="the hours in ORDERFLOW_TOPIC_RETENTION_HOURS",
    fix=f"`{_ALTER} retention.ms=MILLISECONDS`, or change the setting",
)
RETENTION_BYTES = warning(
    "topic_retention_bytes",
    "the topic deletes events by size, regardless of their age",
    expected="retention.bytes=-1",
    fix=f"`{_ALTER} retention.bytes=-1`",
)
TOO_SMALL = problem(
    "topic_max_message_bytes",
    "the topic refuses the largest events that are allowed, so publishing would stop at one",
    expected="max.message.bytes at least 50000 above ORDERFLOW_EVENT_MAX_BYTES",
    fix=f"`{_ALTER} max.message.bytes=BYTES`, or lower ORDERFLOW_EVENT_MAX_BYTES",
)
DELETED_SOON = problem(
    "events_deleted_soon",
    "the topic is about to delete events that a consumer has not read",
    expected="a retention of at least twice the consumer's lag",
    fix=f"start the consumer, and until it has caught up: `{_ALTER} retention.ms=-1`",
)
DELETED = problem(
    "events_deleted",
    "the topic has deleted events that a consumer had not read",
    expected="every event read before it is deleted",
    fix="let the consumer read the log, which still has all events: run it once without "
    "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS",
)
SHORTENED = problem(
    "topic_shortened",
    "a partition ends before offsets that were published or read, so it has lost records",
    expected="every published event on the topic",
    fix="`orderflow check` shows which events are missing; then see `docs/recovery.md`",
)
LEADERLESS = problem(
    "topic_leaderless",
    "a partition has no leader, so it can be neither read nor written",
    expected="a leader for each partition",
    fix="restart the brokers that have its replicas",
)
UNDER_REPLICATED = warning(
    "topic_under_replicated",
    "replicas of a partition are not in sync",
    expected="all replicas in sync",
    fix="restart the brokers that are down",
)
DIAGNOSTICS = (
    MISSING,
    PARTITIONS,
    REPLICATION,
    FEWER_COPIES,
    ONE_IN_SYNC,
    ALL_IN_SYNC,
    COMPACTED,
    RETENTION,
    RETENTION_BYTES,
    TOO_SMALL,
    DELETED_SOON,
    DELETED,
    SHORTENED,
    LEADERLESS,
    UNDER_REPLICATED,
)


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    if not isinstance(observation.stream, StreamFacts):
        return
    topic = observation.stream.topic
    if topic is None:
        yield MISSING.found(f"no topic {expected.topic!r} among those of {', '.join(observation.stream.brokers)}")
        return
    yield from _shape(topic, expected)
    yield from _replication(topic, expected)
    yield from _kept(topic, expected)
    new = {lag.reader for lag in observation.readers or () if lag.position == 0}
    for reader, group in observation.stream.groups.items():
        yield from _shortened(reader, group, topic)
        yield from _deleted(reader, group, topic, new=reader in new)
        yield from _deleted_soon(reader, group, topic, (observation.waiting or {}).get(reader))


def unlike(topic: TopicFacts, expected: Expectations) -> Iterator[Finding]:
    """Find where ``topic`` differs from what the settings create, or is unusable."""
    yield from _shape(topic, expected)
    yield from _fewer_replicas(topic, expected)
    yield from _kept(topic, expected)


def _shape(topic: TopicFacts, expected: Expectations) -> Iterator[Finding]:
    if topic.partitions != expected.partitions:
        yield PARTITIONS.found(f"{topic.partitions}, configured are {expected.partitions}")
    if topic.leaderless:
        yield LEADERLESS.found(f"partitions {_listed(topic.leaderless)}")
    if topic.under_replicated:
        yield UNDER_REPLICATED.found(f"partitions {_listed(topic.under_replicated)}")


def _replication(topic: TopicFacts, expected: Expectations) -> Iterator[Finding]:
    replicas = topic.replication
    if replicas == 1:
        yield REPLICATION.found("replication factor 1")
    yield from _fewer_replicas(topic, expected)
    if replicas > 1 and topic.min_insync == 1:
        yield ONE_IN_SYNC.found(f"min.insync.replicas=1 with {replicas} replicas")
    if replicas > 1 and topic.min_insync >= replicas:
        yield ALL_IN_SYNC.found(f"min.insync.replicas={topic.min_insync} with {replicas} replicas")


def _fewer_replicas(topic: TopicFacts, expected: Expectations) -> Iterator[Finding]:
    if topic.replication < expected.replication:
        yield FEWER_COPIES.found(f"replication factor {topic.replication}, configured is {expected.replication}")


def _kept(topic: TopicFacts, expected: Expectations) -> Iterator[Finding]:
    if "compact" in topic.cleanup_policy:
        yield COMPACTED.found(f"cleanup.policy={topic.cleanup_policy}")
    if topic.retention_ms != -1 and not 0 <= expected.retention_ms <= topic.retention_ms:
        configured = "unlimited" if expected.retention_ms == -1 else f"{expected.retention_ms} ms"
        yield RETENTION.found(f"retention.ms={topic.retention_ms}, configured is {configured}")
    if topic.retention_bytes != -1:
        yield RETENTION_BYTES.found(f"retention.bytes={topic.retention_bytes}")
    if topic.max_message_bytes < expected.message_bytes:
        yield TOO_SMALL.found(f"max.message.bytes={topic.max_message_bytes}, required are {expected.message_bytes}")


def _deleted(reader: str, group: GroupFacts, topic: TopicFacts, *, new: bool) -> Iterator[Finding]:
    """Find events that were deleted unread. A group without an offset counts only if its reader is ``new``."""
    gone = {}
    for partition, start in topic.starts.items():
        if (missed := start - group.committed.get(partition, 0 if new else start)) > 0:
            gone[partition] = missed
    if gone:
        counts = ", ".join(f"{count} of partition {partition}" for partition, count in sorted(gone.items()))
        yield DELETED.found(f"{reader}: {counts}")


def _shortened(reader: str, group: GroupFacts, topic: TopicFacts) -> Iterator[Finding]:
    """Find partitions that end before the offset of a group.

    A relay's offset may be ahead by the marker of a transaction that was committed just now.
    """
    lost = {partition: group.committed.get(partition, 0) - end for partition, end in topic.ends.items()}
    if lost := {partition: missing for partition, missing in lost.items() if missing > 1}:
        counts = ", ".join(f"{missing} of partition {partition}" for partition, missing in sorted(lost.items()))
        yield SHORTENED.found(f"{reader}: {counts}")


def _deleted_soon(reader: str, group: GroupFacts, topic: TopicFacts, waiting: float | None) -> Iterator[Finding]:
    """Find events that are deleted soon; ``waiting`` is the age in seconds of the oldest event that is unread."""
    if waiting is None or topic.retention_ms == -1 or not group.lag(topic):
        return
    kept = topic.retention_ms / 1000
    if waiting > kept / 2:
        left = max(0.0, kept - waiting)
        yield DELETED_SOON.found(
            f"{reader} is {waiting:.0f} s behind, and events are retained for {kept:.0f} s: {left:.0f} left"
        )


def _listed(partitions: tuple[int, ...]) -> str:
    return ", ".join(map(str, partitions))
