"""Whether the topic is as the settings say, safe against the loss of a broker, and keeps events long enough."""

from collections.abc import Iterator

from ..facts import GroupFacts, StreamFacts, TopicFacts
from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem, warning

_ALTER = "kafka-configs.sh --bootstrap-server HOST --alter --entity-type topics --entity-name TOPIC --add-config"
_REASSIGN = "give each partition three replicas with kafka-reassign-partitions.sh, and set ORDERFLOW_TOPIC_REPLICATION"

MISSING = problem(
    "topic_missing", "there is no such topic", wanted="the topic of the settings", mend="`orderflow topics create`"
)
PARTITIONS = warning(
    "topic_partitions",
    "the topic has another number of partitions than the settings say",
    wanted="the number in ORDERFLOW_TOPIC_PARTITIONS",
    mend="set ORDERFLOW_TOPIC_PARTITIONS to what there is; more are made with kafka-topics.sh --alter --partitions N",
)
REPLICATION = warning(
    "topic_replication",
    "a partition has a single copy, which is lost with its broker",
    wanted="three copies",
    mend=_REASSIGN,
)
FEWER_COPIES = warning(
    "topic_fewer_copies",
    "a partition has fewer copies than the settings say",
    wanted="as many copies as ORDERFLOW_TOPIC_REPLICATION says",
    mend=_REASSIGN,
)
ONE_IN_SYNC = warning(
    "topic_min_insync_low",
    "Kafka acknowledges what a single broker has",
    wanted="min.insync.replicas=2 with three copies",
    mend=f"`{_ALTER} min.insync.replicas=2`",
)
ALL_IN_SYNC = warning(
    "topic_min_insync_high",
    "nothing can be published while one broker is away",
    wanted="min.insync.replicas below the number of copies",
    mend=f"`{_ALTER} min.insync.replicas=2`, with three copies",
)
COMPACTED = problem(
    "topic_compacted",
    "the topic keeps only the last event of each order",
    wanted="cleanup.policy=delete",
    mend=f"`{_ALTER} cleanup.policy=delete`",
)
RETENTION = warning(
    "topic_retention",
    "the topic deletes events earlier than the settings say",
    wanted="the hours in ORDERFLOW_TOPIC_RETENTION_HOURS",
    mend=f"`{_ALTER} retention.ms=MILLISECONDS`, or change the setting",
)
RETENTION_BYTES = warning(
    "topic_retention_bytes",
    "the topic deletes events by its size, however young they are",
    wanted="retention.bytes=-1",
    mend=f"`{_ALTER} retention.bytes=-1`",
)
TOO_SMALL = problem(
    "topic_max_message_bytes",
    "the topic does not take the largest events that orders may have: publishing would stop at one",
    wanted="max.message.bytes at least 50000 above ORDERFLOW_EVENT_MAX_BYTES",
    mend=f"`{_ALTER} max.message.bytes=BYTES`, or lower ORDERFLOW_EVENT_MAX_BYTES",
)
DELETED_SOON = problem(
    "events_deleted_soon",
    "the topic is about to delete events that a consumer has not read",
    wanted="a retention of at least twice the consumer's lag",
    mend=f"start the consumer; until it has caught up: `{_ALTER} retention.ms=-1`",
)
DELETED = problem(
    "events_deleted",
    "the topic has deleted events that a consumer had not read",
    wanted="every event read before it is deleted",
    mend="let the consumer read the log instead, where all events still are: run it once without "
    "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS",
)
LEADERLESS = problem(
    "topic_leaderless",
    "a partition has no leader: nothing is written to it or read from it",
    wanted="a leader for each partition",
    mend="bring back the brokers that hold it",
)
UNDER_REPLICATED = warning(
    "topic_under_replicated",
    "copies of a partition are not in sync",
    wanted="all copies in sync",
    mend="bring back the brokers that are away",
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
    LEADERLESS,
    UNDER_REPLICATED,
)


def check(look: Observation, wanted: Expectations) -> Iterator[Finding]:
    if not isinstance(look.stream, StreamFacts):
        return
    topic = look.stream.topic
    if topic is None:
        yield MISSING.found(f"no topic {wanted.topic!r} among those of {', '.join(look.stream.brokers)}")
        return
    yield from _shape(topic, wanted)
    yield from _copies(topic, wanted)
    yield from _kept(topic, wanted)
    new = {lag.reader for lag in look.readers or () if lag.position == 0}
    for reader, group in look.stream.groups.items():
        yield from _deleted(reader, group, topic, new=reader in new)
        yield from _deleted_soon(reader, group, topic, (look.waiting or {}).get(reader))


def unlike(topic: TopicFacts, wanted: Expectations) -> Iterator[Finding]:
    """Where ``topic`` is not as the settings have a topic made, or of no use."""
    yield from _shape(topic, wanted)
    yield from _fewer(topic, wanted)
    yield from _kept(topic, wanted)


def _shape(topic: TopicFacts, wanted: Expectations) -> Iterator[Finding]:
    if topic.partitions != wanted.partitions:
        yield PARTITIONS.found(f"{topic.partitions}, the settings say {wanted.partitions}")
    if topic.leaderless:
        yield LEADERLESS.found(f"partitions {_listed(topic.leaderless)}")
    if topic.under_replicated:
        yield UNDER_REPLICATED.found(f"partitions {_listed(topic.under_replicated)}")


def _copies(topic: TopicFacts, wanted: Expectations) -> Iterator[Finding]:
    copies = topic.replication
    if copies == 1:
        yield REPLICATION.found("replication factor 1")
    yield from _fewer(topic, wanted)
    if copies > 1 and topic.min_insync == 1:
        yield ONE_IN_SYNC.found(f"min.insync.replicas=1 with {copies} copies")
    if copies > 1 and topic.min_insync >= copies:
        yield ALL_IN_SYNC.found(f"min.insync.replicas={topic.min_insync} with {copies} copies")


def _fewer(topic: TopicFacts, wanted: Expectations) -> Iterator[Finding]:
    if topic.replication < wanted.replication:
        yield FEWER_COPIES.found(f"replication factor {topic.replication}, the settings say {wanted.replication}")


def _kept(topic: TopicFacts, wanted: Expectations) -> Iterator[Finding]:
    if "compact" in topic.cleanup_policy:
        yield COMPACTED.found(f"cleanup.policy={topic.cleanup_policy}")
    if topic.retention_ms != -1 and not 0 <= wanted.retention_ms <= topic.retention_ms:
        said = "for ever" if wanted.retention_ms == -1 else f"{wanted.retention_ms} ms"
        yield RETENTION.found(f"retention.ms={topic.retention_ms}, the settings say {said}")
    if topic.retention_bytes != -1:
        yield RETENTION_BYTES.found(f"retention.bytes={topic.retention_bytes}")
    if topic.max_message_bytes < wanted.message_bytes:
        yield TOO_SMALL.found(f"max.message.bytes={topic.max_message_bytes}, wanted are {wanted.message_bytes}")


def _deleted(reader: str, group: GroupFacts, topic: TopicFacts, *, new: bool) -> Iterator[Finding]:
    """A group may have forgotten where it was; only of a ``new`` reader it is known that it has read nothing."""
    gone = {}
    for partition, start in topic.starts.items():
        if (missed := start - group.committed.get(partition, 0 if new else start)) > 0:
            gone[partition] = missed
    if gone:
        told = ", ".join(f"{count} of partition {partition}" for partition, count in sorted(gone.items()))
        yield DELETED.found(f"{reader}: {told}")


def _deleted_soon(reader: str, group: GroupFacts, topic: TopicFacts, waiting: float | None) -> Iterator[Finding]:
    """``waiting`` are the seconds since the oldest event happened that the reader has yet to come to."""
    if waiting is None or topic.retention_ms == -1 or not group.lag(topic):
        return
    kept = topic.retention_ms / 1000
    if waiting > kept / 2:
        left = max(0.0, kept - waiting)
        yield DELETED_SOON.found(
            f"{reader} is {waiting:.0f} s behind, and events are kept {kept:.0f} s: {left:.0f} left"
        )


def _listed(partitions: tuple[int, ...]) -> str:
    return ", ".join(map(str, partitions))
