"""The composition root: which adapter keeps which port. The only place that knows dependency_injector.

Two profiles with the same attributes: embedded (SQLite or memory; events are read straight from the log) and
production (a database and Kafka). Building a container opens nothing.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
import uuid_utils
from dependency_injector import containers, providers

from ..adapters import wire
from ..adapters.gateway import SandboxGateway
from ..adapters.log_source import LogEventSource
from ..adapters.memory import LocalWakeup, MemoryEffects, MemoryStorage
from ..adapters.notify.log import LogChannel
from ..adapters.notify.wording import TemplateWording
from ..adapters.sql.effects import SqlEffects
from ..adapters.sql.storage import SqlStorage
from ..application.analyse import Analyse
from ..application.assign_shipper import AssignShipper
from ..application.cancel_order import CancelOrder
from ..application.change_order import ChangeOrder
from ..application.check import CheckAll
from ..application.check.effects import CheckEffects
from ..application.check.orders_and_log import CheckOrdersAndLog
from ..application.check.topic import CheckTopic
from ..application.consuming import Consumer
from ..application.create_order import CreateOrder
from ..application.get_order import GetOrder
from ..application.handle_batch import HandleBatch
from ..application.keep_stock import KeepStock
from ..application.list_orders import ListOrders
from ..application.notify import Notify
from ..application.once import Once
from ..application.order_as_of import OrderAsOf
from ..application.order_timeline import OrderTimeline
from ..application.ports import EventSource
from ..application.publish_pending import PublishPending
from ..application.record_payment import RecordPayment
from ..application.redrive import Redrive
from ..application.settle_refunds import SettleRefunds
from ..application.transition_order_state import TransitionOrderState
from ..application.use_cases import UseCases
from ..application.write_set import GatheringUnitOfWork, LogPublisher
from ..domain.errors import NotConfigured
from .settings import Settings

CONSUMERS = ("notifications", "analytics", "inventory")
"""The consumers that ship, by name."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """UUIDv7: ids that sort by the time they were made, to the millisecond."""
    return str(uuid_utils.uuid7())


def _storage(settings: Settings, news: LocalWakeup) -> MemoryStorage | SqlStorage:
    if settings.database_url.startswith("memory:"):
        return MemoryStorage(on_commit=news.notify)
    return SqlStorage.at(settings.database_url, pool_size=settings.database_pool_size, on_commit=news.notify)


def _effects(storage: MemoryStorage | SqlStorage) -> MemoryEffects | SqlEffects:
    if isinstance(storage, MemoryStorage):
        return MemoryEffects(storage.cursors)
    return SqlEffects(storage)


def _channels(settings: Settings, clock: Callable[[], datetime]) -> list[Any]:
    channels: list[Any] = []
    for name in settings.notification_channels:
        channels.append(_email(settings, clock) if name == "email" else LogChannel(_notices()))
    return channels


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


def _from_log(
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


def _kafka_settings(settings: Settings) -> Any:
    from ..adapters.kafka.settings import KafkaSettings

    return KafkaSettings(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        topic=settings.topic,
        source=settings.event_source,
        properties=settings.kafka,
    )


def _source(kafka: Any, settings: Settings, from_log: Callable[[str], EventSource]) -> Callable[[str], EventSource]:
    """Consumers read the topic where a relay writes it. One that is written directly may lack events: then the log."""
    if kafka is None or settings.publishing == "direct":
        return from_log

    def source(consumer: str) -> EventSource:
        from ..adapters.kafka.source import KafkaEventSource

        built: EventSource = KafkaEventSource(kafka, consumer)
        return built

    return source


def _relay_topic(kafka: Any) -> Any:
    from ..adapters.kafka.relay_topic import KafkaRelayTopic

    return KafkaRelayTopic(kafka)


def _topic_reader(kafka: Any) -> Any:
    from ..adapters.kafka.reader import KafkaTopicReader

    return KafkaTopicReader(kafka)


def _topic_admin(kafka: Any) -> Any:
    from ..adapters.kafka.topics import TopicAdmin

    return TopicAdmin(kafka)


def _direct(settings: Settings, kafka: Any) -> Any:
    """The direct publisher, or None where events go through the log."""
    if settings.publishing == "log":
        return None
    if kafka is None:
        raise NotConfigured(
            "direct publishing needs Kafka", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, or ORDERFLOW_PUBLISHING=log"
        )
    from ..adapters.kafka.direct import DirectPublishing

    return DirectPublishing(kafka)


def _publisher(direct: Any) -> Any:
    return LogPublisher if direct is None else direct.publisher


def _check_topic(topic: Any, log: Any, settings: Settings) -> CheckTopic | None:
    """Only a topic that a relay writes can be held to the log."""
    return None if topic is None or settings.publishing == "direct" else CheckTopic(topic, log, wire.decode_record)


def _handle_batch(
    consumer: Consumer, effects: Any, storage: Any, clock: Callable[[], datetime], settings: Settings
) -> HandleBatch:
    return HandleBatch(
        consumer=consumer,
        store=effects.store,
        cursors=storage.cursors,
        decode=wire.decode_record,
        clock=clock,
        attempts=settings.consumer_attempts,
    )


def _profile(settings: Settings) -> str:
    return "production" if settings.uses_kafka else "embedded"


def _where_kafka_is(profile: providers.Provider[str], provider: providers.Provider[Any]) -> providers.Provider[Any]:
    """``provider`` in the production profile; None in the embedded one."""
    return providers.Selector(profile, embedded=providers.Object(None), production=provider)


class Container(containers.DeclarativeContainer):
    """Both profiles; what they differ in is chosen by ``profile``, so their attributes are the same."""

    settings = providers.Dependency(instance_of=Settings)
    profile = providers.Callable(_profile, settings)
    clock: providers.Provider[Any] = providers.Object(utc_now)
    new_id: providers.Provider[Any] = providers.Object(new_id)
    decode: providers.Provider[Any] = providers.Object(wire.decode_record)

    news = providers.Singleton(LocalWakeup)
    storage: providers.Provider[Any] = providers.Singleton(_storage, settings, news)
    effects: providers.Provider[Any] = providers.Singleton(_effects, storage)
    gateway: providers.Provider[Any] = providers.Singleton(SandboxGateway)

    log_source: providers.Provider[Any] = providers.Singleton(_from_log, storage, news, settings)
    kafka = _where_kafka_is(profile, providers.Singleton(_kafka_settings, settings))
    relay_topic = _where_kafka_is(profile, providers.Singleton(_relay_topic, kafka))
    topic_reader = _where_kafka_is(profile, providers.Factory(_topic_reader, kafka))
    topic_admin = _where_kafka_is(profile, providers.Singleton(_topic_admin, kafka))
    source: providers.Provider[Any] = providers.Singleton(_source, kafka, settings, log_source)

    direct: providers.Provider[Any] = providers.Singleton(_direct, settings, kafka)
    unit_of_work = providers.Singleton(
        GatheringUnitOfWork,
        committer=storage.provided.committer,
        orders=storage.provided.orders,
        events=providers.Callable(_publisher, direct),
    )
    change_order = providers.Singleton(ChangeOrder, unit_of_work)
    settle_refunds = providers.Singleton(
        SettleRefunds, attempts=storage.provided.attempts, gateway=gateway, unit_of_work=unit_of_work, clock=clock
    )
    cancel_order = providers.Singleton(CancelOrder, change_order, settle_refunds, clock)
    get_order = providers.Singleton(GetOrder, storage.provided.views)
    timeline = providers.Singleton(OrderTimeline, get_order, storage.provided.log, decode)
    use_cases = providers.Singleton(
        UseCases,
        create_order=providers.Singleton(CreateOrder, unit_of_work, clock, new_id),
        get_order=get_order,
        list_orders=providers.Singleton(ListOrders, storage.provided.views),
        timeline=timeline,
        as_of=providers.Singleton(OrderAsOf, timeline),
        change_order=change_order,
        transition_order_state=providers.Singleton(
            TransitionOrderState,
            change_order,
            cancel_order,
            clock,
            providers.Callable(lambda settings: timedelta(minutes=settings.estimate_minutes), settings),
        ),
        assign_shipper=providers.Singleton(AssignShipper, change_order, clock),
        record_payment=providers.Singleton(
            RecordPayment,
            change_order=change_order,
            views=storage.provided.views,
            attempts=storage.provided.attempts,
            gateway=gateway,
            settle_refunds=settle_refunds,
            unit_of_work=unit_of_work,
            clock=clock,
        ),
        cancel_order=cancel_order,
        settle_refunds=settle_refunds,
        once=providers.Singleton(Once, storage.provided.answers),
    )

    channels: providers.Provider[Any] = providers.Singleton(_channels, settings, clock)
    consumers = providers.Dict(
        notifications=providers.Singleton(
            Notify,
            channels=channels,
            wording=providers.Singleton(TemplateWording),
            outbox=effects.provided.notifications,
            clock=clock,
        ),
        analytics=providers.Singleton(Analyse),
        inventory=providers.Singleton(KeepStock, effects.provided.shortages, cancel_order, clock),
    )
    handle_batch = providers.Factory(_handle_batch, effects=effects, storage=storage, clock=clock, settings=settings)
    redrive = providers.Factory(
        Redrive,
        store=effects.provided.store,
        letters=effects.provided.dead_letters,
        decode=decode,
        clock=clock,
    )
    publish_pending = providers.Factory(
        PublishPending,
        log=storage.provided.log,
        topic=relay_topic,
        cursors=storage.provided.cursors,
        batch=settings.provided.relay_batch,
    )
    check = providers.Factory(
        CheckAll,
        log=storage.provided.log,
        orders_and_log=providers.Factory(
            CheckOrdersAndLog,
            log=storage.provided.log,
            orders=storage.provided.audit,
            decode=decode,
            buckets=storage.provided.buckets,
        ),
        effects=providers.Factory(
            CheckEffects,
            log=storage.provided.log,
            cursors=storage.provided.cursors,
            decode=decode,
            notifications=effects.provided.notifications,
            analytics=effects.provided.analytics,
            shortages=effects.provided.shortages,
            dead_letters=effects.provided.dead_letters,
        ),
        topic=providers.Callable(_check_topic, topic_reader, storage.provided.log, settings),
    )


def container_for(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> Any:
    """The container of the profile that ``settings`` ask for: production where Kafka is named.

    ``clock`` stands in for the system's, where a day is lived faster than it passed.
    """
    container = Container(settings=settings)
    if clock is not None:
        container.clock.override(providers.Object(clock))
    return container
