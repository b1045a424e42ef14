"""What the container builds that takes more than one constructor: each adapter as the settings ask for it.

Extras are imported when they are asked for, so that a base install does without them.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

import structlog
import uuid_utils
from attrs import evolve

from ..adapters import wire
from ..adapters.log_source import LogEventSource
from ..adapters.memory import LocalWakeup, MemoryEffects, MemoryStorage
from ..adapters.memory.watch import MemoryWatch
from ..adapters.notify.log import LogChannel
from ..adapters.sql.effects import SqlEffects
from ..adapters.sql.storage import SqlStorage
from ..adapters.sql.watch import SqlWatch
from ..adapters.telemetry import Instruments
from ..adapters.telemetry.database import watch_pool, watch_statements
from ..adapters.telemetry.kafka_clients import KafkaClients
from ..adapters.telemetry.watched import WatchedNotifier
from ..adapters.telemetry.watched_consumers import WatchedBatches, watched
from ..application.check.topic import CheckTopic
from ..application.consuming import Consumer, HandlingWatch
from ..application.copy_letters import CopyLetters, RunCopying
from ..application.doctor import Wanted
from ..application.failures import Failures
from ..application.handle_batch import HandleBatch
from ..application.log import EVENT_ROOM, LogRecord, Origin
from ..application.ports import EventSource
from ..application.ports_of_consumers import DeadLetters
from ..application.publish_pending import FLOOR
from ..application.readers import Readers
from ..application.redrive import Redrive
from ..application.rollout_in_force import RolloutInForce
from ..application.topic_and_log import TopicAndLog, Unheard
from ..application.write_set import LogPublisher
from ..domain.errors import InvalidInput, LogGap, NotConfigured
from .presence import Presence, SharesPartitions
from .settings import Settings
from .stopping import Stopping


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """UUIDv7: ids that sort by the time they were made, to the millisecond."""
    return str(uuid_utils.uuid7())


def stopping(settings: Settings) -> Stopping:
    """Raises InvalidInput when the grace would take all the time that there is."""
    if settings.stop_grace_seconds >= settings.stop_seconds:
        raise InvalidInput(
            "ORDERFLOW_STOP_GRACE_SECONDS",
            f"{settings.stop_grace_seconds:g} leaves nothing of {settings.stop_seconds:g} to end in",
            "less than ORDERFLOW_STOP_SECONDS",
        )
    return Stopping(settings.stop_seconds, settings.stop_grace_seconds)


def presence(process_id: str) -> Presence:
    """This process among the others, by the clock on the wall, also where a day is lived faster."""
    return Presence(Failures(utc_now), utc_now, process_id)


def storage(settings: Settings, on_commit: Callable[[], None], instruments: Instruments) -> MemoryStorage | SqlStorage:
    if settings.database_url.startswith("memory:"):
        return MemoryStorage(on_commit=on_commit, event_limit=settings.event_max_bytes)
    built = SqlStorage.at(
        settings.database_url,
        pool_size=settings.database_pool_size,
        pooled=settings.pooled,
        on_commit=on_commit,
        event_limit=settings.event_max_bytes,
    )
    for engine in built.database.engines:
        watch_statements(engine, instruments)
    watch_pool(built.engine.sync_engine, instruments)
    return built


def effects(storage: MemoryStorage | SqlStorage) -> MemoryEffects | SqlEffects:
    if isinstance(storage, MemoryStorage):
        return MemoryEffects(storage.cursors)
    return SqlEffects(storage)


def channels(settings: Settings, clock: Callable[[], datetime]) -> list[Any]:
    channels: list[Any] = []
    for name in settings.notification_channels:
        channels.append(_email(settings, clock) if name == "email" else LogChannel(_notices()))
    return channels


def watched_channels(channels: list[Any], instruments: Instruments) -> list[WatchedNotifier]:
    return [WatchedNotifier(channel, instruments) for channel in channels]


def _notices() -> Any:
    """The standard library's logger ``orderflow.notify``: the application around us decides what is shown of it."""
    return structlog.wrap_logger(
        logging.getLogger("orderflow.notify"),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _email(settings: Settings, clock: Callable[[], datetime]) -> Any:
    try:
        from aiosmtplib import SMTP

        from ..adapters.notify.email import EmailChannel
    except ModuleNotFoundError as e:
        raise NotConfigured("email needs aiosmtplib", "pip install 'orderflow[email]'") from e
    client = SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username or None,
        password=settings.smtp_password or None,
        start_tls=settings.smtp_starttls,
    )
    return EmailChannel(client=client, sender=settings.smtp_sender, clock=clock)


def from_log(
    storage: MemoryStorage | SqlStorage, news: LocalWakeup, settings: Settings
) -> Callable[[str], EventSource]:
    def source(consumer: str) -> EventSource:
        return LogEventSource(
            storage.log,
            storage.cursors,
            consumer,
            news.listener(),
            poll_interval=settings.poll_seconds,
        )

    return source


def kafka_settings(settings: Settings, instruments: Instruments) -> Any:
    from ..adapters.kafka.settings import KafkaSettings

    return KafkaSettings(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        topic=settings.topic,
        source=settings.event_source,
        properties={"message.max.bytes": str(settings.event_max_bytes + EVENT_ROOM), **settings.kafka},
        watch=KafkaClients(instruments),
    )


def reads_topic(settings: Settings) -> bool:
    """Whether consumers read the topic, and not the log."""
    return settings.uses_kafka and settings.publishing == "log"


def source(kafka: Any, settings: Settings, from_log: Callable[[str], EventSource]) -> Callable[[str], EventSource]:
    """Consumers read the topic where a relay writes it. One that is written directly may lack events: then the log."""
    if kafka is None or not reads_topic(settings):
        return from_log

    def source(consumer: str) -> EventSource:
        from ..adapters.kafka.source import KafkaEventSource

        built: EventSource = KafkaEventSource(kafka, consumer)
        return built

    return source


def relay_topic(kafka: Any) -> Any:
    from ..adapters.kafka.relay_topic import KafkaRelayTopic

    return KafkaRelayTopic(kafka)


def relay_cursors(kafka: Any, settings: Settings) -> Any:
    """What the relays committed; None where no relay publishes."""
    from ..adapters.kafka.relay_cursors import KafkaRelayCursors

    return KafkaRelayCursors(kafka) if reads_topic(settings) else None


def unheard(
    consumer: str, source: EventSource, relays: Any, storage: MemoryStorage | SqlStorage
) -> Callable[[], Awaitable[LogGap | None]]:
    """Tells a consumer that reads the topic what it has not heard; one that reads the log hears everything."""

    def own() -> tuple[int, ...]:
        return source.partitions if isinstance(source, SharesPartitions) else ()

    async def nothing() -> LogGap | None:
        return None

    if relays is None:
        return nothing
    return Unheard(consumer, relays, storage.log, storage.epochs, storage.cursors, own)


def database_watch(storage: MemoryStorage | SqlStorage) -> MemoryWatch | SqlWatch:
    return MemoryWatch() if isinstance(storage, MemoryStorage) else SqlWatch(storage.database)


def stream_watch(kafka: Any, settings: Settings, consumers: tuple[str, ...]) -> Any:
    """Of the groups that are ours: none, where events are published directly."""
    from ..adapters.kafka.watch import KafkaWatch

    relayed = settings.publishing == "log"
    groups = {FLOOR: kafka.relay_group, **{name: kafka.consumer_group(name) for name in consumers}}
    return KafkaWatch(kafka, groups if relayed else {})


def wanted(settings: Settings, consumers: tuple[str, ...]) -> Wanted:
    """What the doctor holds the installation to."""
    hours = settings.topic_retention_hours
    return Wanted(
        version=version("orderflow"),
        topic=settings.topic,
        partitions=settings.topic_partitions,
        replication=settings.topic_replication,
        retention_ms=-1 if hours == -1 else hours * 3_600_000,
        with_kafka=settings.uses_kafka,
        relayed=settings.uses_kafka and settings.publishing == "log",
        consumers=consumers,
        open_to="" if settings.on_loopback else settings.http_host,
        pool_size=settings.database_pool_size,
        message_bytes=settings.event_max_bytes + EVENT_ROOM,
        listeners=0 if settings.database_listen == "off" else 2,
        pooled=settings.pooled,
    )


def topic_reader(kafka: Any) -> Any:
    from ..adapters.kafka.reader import KafkaTopicReader

    return KafkaTopicReader(kafka)


def topic_admin(kafka: Any) -> Any:
    from ..adapters.kafka.topics import TopicAdmin

    return TopicAdmin(kafka)


def admin_of(kafka: Any) -> Any:
    """Who makes the topic of ``kafka``; nobody where there is none."""
    return None if kafka is None else topic_admin(kafka)


def partitions(admin: Any) -> Callable[[], Awaitable[int]] | None:
    """Who knows how many partitions the topic has; nobody without Kafka."""
    return None if admin is None else admin.partitions


def in_force(storage: MemoryStorage | SqlStorage) -> RolloutInForce:
    return RolloutInForce(storage.rollout, lambda: storage.buckets)


def readers(storage: MemoryStorage | SqlStorage, settings: Settings, shipped: tuple[str, ...]) -> Readers:
    return Readers(storage.cursors, shipped, relayed=settings.uses_kafka and settings.publishing == "log")


def direct(settings: Settings, kafka: Any, told: Any, in_force: RolloutInForce) -> Any:
    """The direct publisher, or None where events go through the log."""
    if settings.publishing == "log":
        return None
    if kafka is None:
        raise NotConfigured(
            "direct publishing needs Kafka", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, or ORDERFLOW_PUBLISHING=log"
        )
    from ..adapters.kafka.direct import DirectPublishing

    return DirectPublishing(kafka, told=told, share=in_force.published_buckets)


def publisher(direct: Any) -> Any:
    return LogPublisher if direct is None else direct.publisher


def check_topic(
    topic: Any, storage: MemoryStorage | SqlStorage, settings: Settings, in_force: RolloutInForce
) -> CheckTopic | None:
    """Only a topic that a relay writes can be held to the log."""
    if topic is None or settings.publishing == "direct":
        return None
    return CheckTopic(
        topic,
        storage.log,
        wire.decode_record,
        buckets=storage.buckets,
        share=in_force.published_buckets,
        epochs=storage.epochs,
    )


def handle_batch(
    consumer: Consumer,
    effects: Any,
    storage: Any,
    clock: Callable[[], datetime],
    settings: Settings,
    instruments: Instruments,
    watch: HandlingWatch,
    origin: Callable[[LogRecord], Origin | None] = lambda _: None,
) -> WatchedBatches:
    seen, store = watched(consumer, effects.store, instruments)
    handle = HandleBatch(
        consumer=seen,
        store=store,
        cursors=storage.cursors,
        decode=wire.decode_record,
        clock=clock,
        attempts=settings.consumer_attempts,
        watch=watch,
        origin=origin,
        topic_and_log=TopicAndLog(storage.log, storage.epochs) if reads_topic(settings) else None,
        copied=bool(settings.dead_letter_topic),
    )
    return WatchedBatches(handle, consumer.name, instruments)


def redrive(consumer: Consumer, effects: Any, clock: Callable[[], datetime], instruments: Instruments) -> Redrive:
    seen, store = watched(consumer, effects.store, instruments)
    return Redrive(consumer=seen, store=store, letters=effects.dead_letters, decode=wire.decode_record, clock=clock)


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
    from ..adapters.kafka.dead_letter_topic import KafkaDeadLetterTopic

    topic = KafkaDeadLetterTopic(kafka)
    return RunCopying(copy=CopyLetters(letters, topic, clock), topic=topic, failed=partial(failed, "copying"))


def profile(settings: Settings) -> str:
    return "production" if settings.uses_kafka else "embedded"
