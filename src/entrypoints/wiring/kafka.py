"""What the container builds of Kafka: the topic's adapters, as the settings ask for them.

Kafka's client is imported when it is asked for, so that a base install does without it.
"""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any, Protocol, runtime_checkable

from attrs import evolve

from ...adapters import wire
from ...adapters.memory import MemoryStorage
from ...adapters.sql.storage import SqlStorage
from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics.kafka_clients import KafkaClients
from ...application.check.topic import CheckTopic
from ...application.consuming.ports import EventSource
from ...application.dead_letters.copy_to_topic import CopyDeadLetters, RunCopying
from ...application.dead_letters.ports import DeadLetters
from ...application.event_log.records import EVENT_ROOM, RELAY
from ...application.orders.unit_of_work import LogPublisher
from ...application.recovery.restore_guard import MissedEvents
from ...application.rollout.cached_rollout import CachedRollout
from ...domain.errors import InvalidInput, LogGap, NotConfigured
from ..settings import Settings


@runtime_checkable
class PartitionReader(Protocol):
    """A source that reads some of the topic's partitions, as its group has it now."""

    async def heard_out(self) -> Collection[int]: ...


def kafka_settings(settings: Settings, instruments: Instruments) -> Any:
    from ...adapters.kafka.settings import KafkaSettings

    return KafkaSettings(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        topic=settings.topic,
        source=settings.event_source,
        properties={"message.max.bytes": str(settings.event_max_bytes + EVENT_ROOM), **settings.kafka},
        observer=KafkaClients(instruments),
    )


def reads_topic(settings: Settings) -> bool:
    """Whether consumers read the topic, and not the log."""
    return settings.uses_kafka and settings.publishing == "log"


def source(kafka: Any, settings: Settings, from_log: Callable[[str], EventSource]) -> Callable[[str], EventSource]:
    """Consumers read the topic where a relay writes it. One that is written directly may lack events: then the log."""
    if kafka is None or not reads_topic(settings):
        return from_log

    def source(consumer: str) -> EventSource:
        from ...adapters.kafka.event_source import KafkaEventSource

        built: EventSource = KafkaEventSource(kafka, consumer)
        return built

    return source


def relay_topic(kafka: Any) -> Any:
    from ...adapters.kafka.relay.relay_topic import KafkaRelayTopic

    return KafkaRelayTopic(kafka)


def relay_cursors(kafka: Any, settings: Settings) -> Any:
    """What the relays committed; None where no relay publishes."""
    from ...adapters.kafka.relay.committed_cursors import KafkaCommittedCursors

    return KafkaCommittedCursors(kafka) if reads_topic(settings) else None


def missed_events(
    consumer: str, source: EventSource, relays: Any, storage: MemoryStorage | SqlStorage
) -> Callable[[], Awaitable[LogGap | None]]:
    """Tells a consumer that reads the topic what it has not heard; one that reads the log hears everything."""

    async def nothing() -> LogGap | None:
        return None

    if relays is None or not isinstance(source, PartitionReader):
        return nothing
    return MissedEvents(consumer, relays, storage.log, storage.epochs, storage.cursors, source.heard_out)


def stream_health(kafka: Any, settings: Settings, consumers: tuple[str, ...]) -> Any:
    """Of the groups that are ours: none, where events are published directly."""
    from ...adapters.kafka.health import KafkaHealth

    relayed = settings.publishing == "log"
    groups = {RELAY: kafka.relay_group, **{name: kafka.consumer_group(name) for name in consumers}}
    return KafkaHealth(kafka, groups if relayed else {}, dead_letters=settings.dead_letter_topic)


def topic_reader(kafka: Any) -> Any:
    from ...adapters.kafka.topic_reader import KafkaTopicReader

    return KafkaTopicReader(kafka)


def topic_admin(kafka: Any) -> Any:
    from ...adapters.kafka.topic_admin import TopicAdmin

    return TopicAdmin(kafka)


def admin_of(kafka: Any) -> Any:
    """Who makes the topic of ``kafka``; nobody where there is none."""
    return None if kafka is None else topic_admin(kafka)


def partitions(admin: Any) -> Callable[[], Awaitable[int]] | None:
    """Who knows how many partitions the topic has; nobody without Kafka."""
    return None if admin is None else admin.partitions


def direct(settings: Settings, kafka: Any, told: Any, current_rollout: CachedRollout) -> Any:
    """The direct publisher, or None where events go through the log."""
    if settings.publishing == "log":
        return None
    if kafka is None:
        raise NotConfigured(
            "direct publishing needs Kafka", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, or ORDERFLOW_PUBLISHING=log"
        )
    from ...adapters.kafka.direct_publisher import DirectPublishing

    return DirectPublishing(kafka, on_published=told, share=current_rollout.published_buckets)


def publisher(direct: Any) -> Any:
    return LogPublisher if direct is None else direct.publisher


def check_topic(
    topic: Any, storage: MemoryStorage | SqlStorage, settings: Settings, current_rollout: CachedRollout
) -> CheckTopic | None:
    """Only a topic that a relay writes can be held to the log."""
    if topic is None or settings.publishing == "direct":
        return None
    return CheckTopic(
        topic,
        storage.log,
        wire.decode_record,
        buckets=storage.buckets,
        share=current_rollout.published_buckets,
        epochs=storage.epochs,
    )


def of_dead_letters(kafka: Any, settings: Settings) -> Any:
    """Where Kafka is, with the topic for dead letters; None where none is asked for."""
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
    kafka: Any, letters: DeadLetters, clock: Callable[[], datetime], failed: Callable[[str, BaseException], None]
) -> RunCopying | None:
    """Who copies dead letters to their topic; nobody where there is none."""
    if kafka is None:
        return None
    from ...adapters.kafka.dead_letter_topic import KafkaDeadLetterTopic

    topic = KafkaDeadLetterTopic(kafka)
    return RunCopying(copy=CopyDeadLetters(letters, topic, clock), topic=topic, failed=partial(failed, "copying"))
