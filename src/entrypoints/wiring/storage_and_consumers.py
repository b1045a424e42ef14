"""What the container builds that takes more than one constructor: each adapter as the settings ask for it.

Extras are imported when they are asked for, so that a base install does without them.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import uuid_utils

from ...adapters import wire
from ...adapters.memory import LocalWakeup, MemoryConsumerStores, MemoryStorage
from ...adapters.memory.health import MemoryHealth
from ...adapters.sql.consumer_store import SqlConsumerStores
from ...adapters.sql.health import SqlHealth
from ...adapters.sql.storage import SqlStorage
from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics.database import watch_fetches, watch_pool, watch_statements
from ...adapters.telemetry.metrics.instrumented_consumers import InstrumentedBatches, watched
from ...application.consuming.consumer import Consumer, HandlingObserver
from ...application.consuming.handle_batch import HandleBatch
from ...application.consuming.log_source import LogEventSource
from ...application.consuming.ports import EventSource
from ...application.dead_letters.redrive import Redrive
from ...application.event_log.readers import Readers
from ...application.event_log.records import EVENT_ROOM, LogRecord, Origin
from ...application.health.doctor import Expectations
from ...application.health.last_failure import Failures
from ...application.recovery.restore_guard import RestoreGuard
from ...application.replay.replay_events import ReplayEvents
from ...application.replay.replay_range import LogReplaySource, ReplaySource, TopicReplaySource
from ...application.rollout.cached_rollout import CachedRollout
from ...domain.errors import InvalidInput
from ..process_registration import ProcessRegistration
from ..settings import Settings
from ..shutdown import Stopping
from . import kafka as of_topic


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


def process_registration(process_id: str) -> ProcessRegistration:
    """This process among the others, by the system clock, even in a simulation."""
    return ProcessRegistration(Failures(utc_now), utc_now, process_id)


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
    built.database.watch = watch_fetches(instruments)
    watch_pool(built.engine.sync_engine, instruments)
    return built


def effects(storage: MemoryStorage | SqlStorage) -> MemoryConsumerStores | SqlConsumerStores:
    if isinstance(storage, MemoryStorage):
        return MemoryConsumerStores(storage.cursors)
    return SqlConsumerStores(storage)


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


def database_health(storage: MemoryStorage | SqlStorage) -> MemoryHealth | SqlHealth:
    return MemoryHealth() if isinstance(storage, MemoryStorage) else SqlHealth(storage.database)


def wanted(settings: Settings, consumers: tuple[str, ...]) -> Expectations:
    """What the doctor holds the installation to."""
    hours = settings.topic_retention_hours
    return Expectations(
        version=version("orderflow-service"),
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
        dead_letter_topic=settings.dead_letter_topic if settings.uses_kafka else "",
    )


def current_rollout(storage: MemoryStorage | SqlStorage) -> CachedRollout:
    return CachedRollout(storage.rollout, lambda: storage.buckets)


def readers(storage: MemoryStorage | SqlStorage, settings: Settings, shipped: tuple[str, ...]) -> Readers:
    return Readers(storage.cursors, shipped, relayed=settings.uses_kafka and settings.publishing == "log")


def handle_batch(
    consumer: Consumer,
    effects: Any,
    storage: Any,
    clock: Callable[[], datetime],
    settings: Settings,
    instruments: Instruments,
    watch: HandlingObserver,
    origin: Callable[[LogRecord], Origin | None] = lambda _: None,
) -> InstrumentedBatches:
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
        restore_guard=RestoreGuard(storage.log, storage.epochs) if of_topic.reads_topic(settings) else None,
        copied=bool(settings.dead_letter_topic),
    )
    return InstrumentedBatches(handle, consumer.name, instruments)


def redrive(consumer: Consumer, effects: Any, clock: Callable[[], datetime], instruments: Instruments) -> Redrive:
    seen, store = watched(consumer, effects.store, instruments)
    return Redrive(consumer=seen, store=store, letters=effects.dead_letters, decode=wire.decode_record, clock=clock)


def readings(storage: MemoryStorage | SqlStorage, topic: Any, settings: Settings) -> dict[str, ReplaySource]:
    """Where events can be read again. What is published directly has no address, so that its topic is no such place."""
    sources: dict[str, ReplaySource] = {"log": LogReplaySource(storage.log)}
    if topic is not None and settings.publishing == "log":
        sources["topic"] = TopicReplaySource(topic, storage.epochs)
    return sources


def replay_events(
    consumer: Consumer, effects: Any, storage: Any, sources: Mapping[str, ReplaySource], clock: Callable[[], datetime]
) -> ReplayEvents:
    """It is not counted among what the consumer handles: the figures are of what happens once."""
    return ReplayEvents(
        consumer=consumer,
        store=effects.store,
        cursors=storage.cursors,
        dead_letters=effects.dead_letters,
        log=storage.log,
        sources=sources,
        maintenance_log=storage.maintenance_log,
        decode=wire.decode_record,
        clock=clock,
        buckets=storage.buckets,
    )


def profile(settings: Settings) -> str:
    return "production" if settings.uses_kafka else "embedded"
