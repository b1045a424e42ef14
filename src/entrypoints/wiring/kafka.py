"""The adapters of Kafka that the container builds, as the settings require them.

Kafka's client is imported when it is used, so that a base install works without it.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from attrs import evolve

from ...adapters import wire
from ...adapters.sql.storage import SqlStorage
from ...adapters.telemetry import Instruments
from ...adapters.telemetry.instrumented import InstrumentedPublishing, Telemetry
from ...adapters.telemetry.metrics.kafka_clients import KafkaClients
from ...application.clock import StorageClock
from ...application.consuming.ports import EventSource
from ...application.dead_letters.copy_to_topic import CopyDeadLetters, RunCopying
from ...application.dead_letters.ports import DeadLetters
from ...application.event_log.ports import TopicReader
from ...application.event_log.records import EVENT_ROOM, RELAY
from ...application.orders.ports import EventPublisher
from ...application.orders.unit_of_work import LogPublisher
from ...application.orders.write_set import WriteSet
from ...application.recovery.restore_guard import MissedEvents
from ...application.rollout.cached_rollout import CachedRollout
from ...domain.errors import InvalidInput, LogGap, NotConfigured
from ..settings import Settings
from .deferred import deferred

if TYPE_CHECKING:
    from ...adapters.kafka.direct_publisher import DirectPublishing
    from ...adapters.kafka.health import KafkaHealth
    from ...adapters.kafka.record_locator import KafkaRecordLocator
    from ...adapters.kafka.relay.committed_cursors import KafkaCommittedCursors
    from ...adapters.kafka.relay.relay_topic import KafkaRelayTopic
    from ...adapters.kafka.settings import KafkaSettings
    from ...adapters.kafka.topic_admin import TopicAdmin
    from ...adapters.kafka.topic_reader import KafkaTopicReader
    from ...adapters.memory import MemoryStorage
    from ...application.check.topic import CheckTopic


@runtime_checkable
class PartitionReader(Protocol):
    """A source that reads the partitions of the topic that its group assigns to it."""

    async def heard_out(self) -> Collection[int]: ...


relay_topic: "Callable[..., KafkaRelayTopic]" = deferred("adapters.kafka.relay.relay_topic:KafkaRelayTopic")
topic_reader: "Callable[..., KafkaTopicReader]" = deferred("adapters.kafka.topic_reader:KafkaTopicReader")
record_locator: "Callable[..., KafkaRecordLocator]" = deferred("adapters.kafka.record_locator:KafkaRecordLocator")


def kafka_settings(settings: Settings, instruments: Instruments) -> "KafkaSettings":
    """Return the settings of all Kafka clients."""
    from ...adapters.kafka.settings import KafkaSettings

    return KafkaSettings(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        topic=settings.topic,
        source=settings.event_source,
        properties={"message.max.bytes": str(settings.event_max_bytes + EVENT_ROOM), **settings.kafka},
        observer=KafkaClients(instruments),
    )


def reads_topic(settings: Settings) -> bool:
    """Return whether a relay writes the topic, so that consumers read it, and not the log."""
    return settings.uses_kafka and settings.publishing == "log"


def source(
    kafka: "KafkaSettings | None",
    settings: Settings,
    log_source: Callable[[str], EventSource],
    storage: "MemoryStorage | SqlStorage",
) -> Callable[[str], EventSource]:
    """Return what makes a consumer's source: the topic if a relay writes it, and the log otherwise.

    A topic that is written directly may lack events.
    """
    if kafka is None or not reads_topic(settings):
        return log_source

    def source(consumer: str) -> EventSource:
        from ...adapters.kafka.event_source import KafkaEventSource

        return KafkaEventSource(kafka, consumer, skipped=storage.skipped_records.places)

    return source


def relay_cursors(kafka: "KafkaSettings | None", settings: Settings) -> "KafkaCommittedCursors | None":
    """Return the cursors that the relays committed; None if no relay publishes."""
    if kafka is None or not reads_topic(settings):
        return None
    from ...adapters.kafka.relay.committed_cursors import KafkaCommittedCursors

    return KafkaCommittedCursors(kafka)


def missed_events(
    consumer: str,
    source: EventSource,
    relays: "KafkaCommittedCursors | None",
    storage: "MemoryStorage | SqlStorage",
) -> Callable[[], Awaitable[LogGap | None]]:
    """Return what finds events that a consumer of the topic did not receive; a reader of the log receives all."""

    async def nothing() -> LogGap | None:
        return None

    if relays is None or not isinstance(source, PartitionReader):
        return nothing
    return MissedEvents(consumer, relays, storage.log, storage.epochs, storage.cursors, source.heard_out)


def stream_health(
    kafka: "KafkaSettings", settings: Settings, consumers: tuple[str, ...], timeout: float = 3.0
) -> "KafkaHealth":
    """Return the health probe of Kafka, with the groups of this installation; none under direct publishing.

    ``timeout`` limits an observation, in seconds.
    """
    from ...adapters.kafka.health import KafkaHealth

    relayed = settings.publishing == "log"
    groups = {RELAY: kafka.relay_group, **{name: kafka.consumer_group(name) for name in consumers}}
    return KafkaHealth(kafka, groups if relayed else {}, timeout=timeout, dead_letters=settings.dead_letter_topic)


def topic_admin(kafka: "KafkaSettings | None") -> "TopicAdmin | None":
    """Return the administration of the topic of ``kafka``; None without Kafka."""
    if kafka is None:
        return None
    from ...adapters.kafka.topic_admin import TopicAdmin

    return TopicAdmin(kafka)


def partitions(admin: "TopicAdmin | None") -> Callable[[], Awaitable[int]] | None:
    """Return what counts the topic's partitions; None without Kafka."""
    return None if admin is None else admin.partitions


def direct(
    settings: Settings, kafka: "KafkaSettings | None", telemetry: Telemetry, current_rollout: CachedRollout
) -> "DirectPublishing | None":
    """Return the direct publisher; None if events are published from the log."""
    if settings.publishing == "log":
        return None
    if kafka is None:
        raise NotConfigured(
            "direct publishing needs Kafka", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, or ORDERFLOW_PUBLISHING=log"
        )
    from ...adapters.kafka.direct_publisher import DirectPublishing

    counted = InstrumentedPublishing(telemetry, "direct")
    return DirectPublishing(kafka, on_published=counted, share=current_rollout.published_buckets)


def publisher(direct: "DirectPublishing | None") -> Callable[[WriteSet], EventPublisher]:
    """Return what makes the publisher of a unit of work."""
    return LogPublisher if direct is None else direct.publisher


def check_topic(
    topic: TopicReader | None, storage: "MemoryStorage | SqlStorage", settings: Settings, current_rollout: CachedRollout
) -> "CheckTopic | None":
    """Return the comparison of topic and log; None unless a relay writes the topic."""
    if topic is None or settings.publishing == "direct":
        return None
    from ...application.check.topic import CheckTopic

    return CheckTopic(
        topic,
        storage.log,
        wire.decode_record,
        buckets=storage.buckets,
        share=current_rollout.published_buckets,
        epochs=storage.epochs,
        cursors=storage.cursors,
    )


def dead_letter_kafka(kafka: "KafkaSettings | None", settings: Settings) -> "KafkaSettings | None":
    """Return Kafka's settings with the topic for dead letters; None if none is configured."""
    if not (topic := settings.dead_letter_topic):
        return None
    if kafka is None:
        raise NotConfigured(
            "a topic for dead letters needs Kafka",
            "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, or leave ORDERFLOW_DEAD_LETTER_TOPIC empty",
        )
    if topic == settings.topic:
        raise InvalidInput(
            "ORDERFLOW_DEAD_LETTER_TOPIC", f"{topic!r} has the events", "another topic than ORDERFLOW_TOPIC"
        )
    return evolve(kafka, topic=topic)


def copying(
    kafka: "KafkaSettings | None",
    dead_letters: DeadLetters,
    now: StorageClock,
    failed: Callable[[str, BaseException], None],
) -> RunCopying | None:
    """Return what copies dead letters to their topic; None if none is configured."""
    if kafka is None:
        return None
    from ...adapters.kafka.dead_letter_topic import KafkaDeadLetterTopic

    topic = KafkaDeadLetterTopic(kafka)
    return RunCopying(copy=CopyDeadLetters(dead_letters, topic, now), topic=topic, failed=partial(failed, "copying"))
