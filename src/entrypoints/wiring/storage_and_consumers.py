"""The storage and consumers that the container builds: each adapter as the settings require it."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import uuid_utils

from ...adapters import wire
from ...adapters.sql.consumer_store import SqlConsumerStores
from ...adapters.sql.health import SqlHealth
from ...adapters.sql.storage import SqlStorage
from ...adapters.telemetry import Instruments
from ...adapters.telemetry.instrumented import Telemetry, count_refusal, observe_batch
from ...adapters.telemetry.instrumented_consumers import InstrumentedBatches, instrumented
from ...adapters.telemetry.metrics.database import watch_fetches, watch_pool, watch_statements
from ...adapters.wakeup import LocalWakeup
from ...application.analytics.analyse import Analyse
from ...application.analytics.ports import AnalyticsTransaction
from ...application.clock import Clock, utc_now
from ...application.consuming.consumer import Consumer
from ...application.consuming.dead_letter import DeadLetter
from ...application.consuming.handle_batch import HandleBatch
from ...application.consuming.log_source import LogEventSource
from ...application.consuming.ports import EventSource
from ...application.customers.forget_old_data import Retention
from ...application.customers.ports import PersonalData
from ...application.dead_letters.redrive import Redrive
from ...application.event_log.ports import TopicReader
from ...application.event_log.records import EVENT_ROOM, LogRecord, Origin
from ...application.health.last_failure import Failures
from ...application.inventory.keep_stock import KeepStock
from ...application.inventory.ports import InventoryTransaction
from ...application.noop import noop
from ...application.notifications.notify import Notify
from ...application.notifications.ports import NotificationTransaction
from ...application.orders.batching import Batching
from ...application.recovery.restore_guard import RestoreGuard
from ...application.webhooks.endpoint import WEBHOOKS
from ...application.webhooks.ports import WebhookTransaction
from ...application.webhooks.record_deliveries import RecordDeliveries
from ...domain.actor import Role
from ...domain.errors import InvalidInput
from ..process_registration import ProcessRegistration
from ..settings import Settings
from ..shutdown import Stopping
from . import kafka

if TYPE_CHECKING:
    from ...adapters.memory import MemoryConsumerStores, MemoryStorage
    from ...adapters.memory.health import MemoryHealth
    from ...application.health.doctor import Expectations
    from ...application.replay.replay_range import ReplaySource

    Storage = MemoryStorage | SqlStorage
    ConsumerStores = MemoryConsumerStores | SqlConsumerStores


class ShippedTransaction(
    NotificationTransaction, AnalyticsTransaction, InventoryTransaction, WebhookTransaction, Protocol
):
    """The transaction of the shipped adapters, which has what every consumer needs."""


def new_id() -> str:
    """Return a UUIDv7: such ids sort by the time of their creation, to the millisecond."""
    return str(uuid_utils.uuid7())


def stopping(settings: Settings) -> Stopping:
    """Return the shutdown of this process. Raises InvalidInput if the grace period leaves no time to end."""
    if settings.stop_grace_seconds >= settings.stop_seconds:
        raise InvalidInput(
            "ORDERFLOW_STOP_GRACE_SECONDS",
            f"{settings.stop_grace_seconds:g} leaves nothing of {settings.stop_seconds:g} to end in",
            "less than ORDERFLOW_STOP_SECONDS",
        )
    return Stopping(settings.stop_seconds, settings.stop_grace_seconds)


def process_registration(process_id: str) -> ProcessRegistration:
    """Return the registration of this process, by the system's clock even when a simulation runs faster."""
    return ProcessRegistration(Failures(utc_now), utc_now, process_id)


def storage(settings: Settings, on_commit: Callable[[], None], instruments: Instruments) -> "Storage":
    """Return the storage at the database's URL, not opened yet."""
    if settings.database_url.startswith("memory:"):
        from ...adapters.memory import MemoryStorage

        return MemoryStorage(
            on_commit=on_commit, event_limit=settings.event_max_bytes, phone_region=settings.phone_region
        )
    built = SqlStorage.at(
        settings.database_url,
        pool_size=settings.database_pool_size,
        pooled=settings.pooled,
        on_commit=on_commit,
        event_limit=settings.event_max_bytes,
        phone_region=settings.phone_region,
    )
    for engine in built.database.engines:
        watch_statements(engine, instruments)
    built.database.watch = watch_fetches(instruments)
    watch_pool(built.engine.sync_engine, instruments)
    return built


def batching(work: str, settings: Settings, telemetry: Telemetry) -> Batching:
    """Return the options of what gathers the ``work`` of this process's commands: ``commit`` or ``read``."""
    return Batching(
        settings.commit_group,
        settings.commit_queue,
        observe=partial(observe_batch, telemetry.instruments, work),
        refused=partial(count_refusal, telemetry.instruments, work),
    )


def consumer_stores(storage: "Storage") -> "ConsumerStores":
    """Return what the consumers keep, in the same database."""
    if isinstance(storage, SqlStorage):
        return SqlConsumerStores(storage)
    from ...adapters.memory import MemoryConsumerStores

    return MemoryConsumerStores(storage.cursors, storage.views)


def personal_data(storage: "Storage", effects: "ConsumerStores") -> PersonalData:
    """Return what erases personal data of the storage and of the consumers."""
    if isinstance(storage, SqlStorage):
        from ...adapters.sql.customers import SqlPersonalData

        return SqlPersonalData(storage.database)
    from ...adapters.memory import MemoryConsumerStores
    from ...adapters.memory.customers import MemoryPersonalData

    if not isinstance(effects, MemoryConsumerStores):
        raise TypeError("storage and consumers are in different places")
    return MemoryPersonalData(storage, effects)


def retention(settings: Settings) -> Retention:
    """Return for how long personal data is kept."""

    def days(number: int) -> timedelta | None:
        return timedelta(days=number) if number else None

    return Retention(
        addresses=days(settings.retention_address_days),
        notifications=days(settings.retention_notification_days),
        unrecognized=days(settings.retention_unrecognized_days),
    )


def consumers(
    notifications: Notify, analytics: Analyse, inventory: KeepStock, webhooks: RecordDeliveries
) -> dict[str, Consumer[ShippedTransaction]]:
    """Return the shipped consumers by name."""
    return {"notifications": notifications, "analytics": analytics, "inventory": inventory, WEBHOOKS: webhooks}


def log_source(storage: "Storage", wakeup: LocalWakeup, settings: Settings) -> Callable[[str], EventSource]:
    """Return what makes a consumer's source that reads the log itself."""

    def source(consumer: str) -> EventSource:
        return LogEventSource(
            storage.log, storage.cursors, consumer, wakeup.listener(), poll_interval=settings.poll_seconds
        )

    return source


def database_health(storage: "Storage") -> "MemoryHealth | SqlHealth":
    """Return the health probe of the database."""
    if isinstance(storage, SqlStorage):
        return SqlHealth(storage.database)
    from ...adapters.memory.health import MemoryHealth

    return MemoryHealth()


def expectations(settings: Settings, consumers: tuple[str, ...]) -> "Expectations":
    """Return what the doctor compares the installation with."""
    from ...application.health.doctor import Expectations

    hours = settings.topic_retention_hours
    return Expectations(
        version=version("orderflow-service"),
        topic=settings.topic,
        partitions=settings.topic_partitions,
        replication=settings.topic_replication,
        retention_ms=-1 if hours == -1 else hours * 3_600_000,
        with_kafka=settings.uses_kafka,
        consumers=consumers,
        open_to="" if settings.on_loopback or settings.oidc_issuer else settings.http_host,
        pool_size=settings.database_pool_size,
        message_bytes=settings.event_max_bytes + EVENT_ROOM,
        listeners=0 if settings.database_listen == "off" else 2,
        pooled=settings.pooled,
        dead_letter_topic=settings.dead_letter_topic if settings.uses_kafka else "",
        production=settings.in_production,
        gateway=settings.gateway_name,
        prices=settings.prices,
        customers_of_provider=bool(settings.oidc_issuer)
        and (not settings.oidc_roles or any(each.endswith(f"={Role.CUSTOMER}") for each in settings.oidc_roles)),
    )


def handle_batch(
    consumer: Consumer[ShippedTransaction],
    effects: "ConsumerStores",
    storage: "Storage",
    clock: Clock,
    settings: Settings,
    telemetry: Telemetry,
    origin: Callable[[LogRecord], Origin | None] = lambda _: None,
    failed: Callable[[DeadLetter, Exception], None] = noop,
) -> InstrumentedBatches:
    """Return what handles the batches of ``consumer``; ``origin`` finds a record's place on the topic.

    ``failed`` is called for each failed attempt.
    """
    counted = instrumented(consumer, telemetry)
    handle: HandleBatch[ShippedTransaction] = HandleBatch(
        consumer=counted,
        store=effects.store,
        cursors=storage.cursors,
        decode=wire.decode_record,
        clock=clock,
        attempts=settings.consumer_attempts,
        observer=counted.observe,
        failed=failed,
        origin=origin,
        restore_guard=RestoreGuard(storage.log, storage.epochs) if kafka.reads_topic(settings) else None,
        copied=bool(settings.dead_letter_topic),
    )
    return InstrumentedBatches(handle, consumer.name, telemetry)


def redrive(
    consumer: Consumer[ShippedTransaction], effects: "ConsumerStores", clock: Clock, telemetry: Telemetry
) -> Redrive[ShippedTransaction]:
    """Return the redrive of ``consumer``, which counts what it handles as the consumer does."""
    counted = instrumented(consumer, telemetry)
    return Redrive(
        consumer=counted,
        store=effects.store,
        dead_letters=effects.dead_letters,
        decode=wire.decode_record,
        clock=clock,
        observer=counted.observe,
    )


def replay_sources(storage: "Storage", topic: TopicReader | None, settings: Settings) -> "dict[str, ReplaySource]":
    """Return what events can be read from again: the log, and the topic unless its records have no address in the log.

    That is so if they are published directly.
    """
    from ...application.replay.replay_range import LogReplaySource, TopicReplaySource

    sources: dict[str, ReplaySource] = {"log": LogReplaySource(storage.log)}
    if topic is not None and settings.publishing == "log":
        sources["topic"] = TopicReplaySource(topic, storage.epochs)
    return sources


def profile(settings: Settings) -> str:
    """Return ``production`` with Kafka, ``embedded`` without."""
    return "production" if settings.uses_kafka else "embedded"
