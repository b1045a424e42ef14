"""The composition root: the adapter of every port. No other module uses dependency_injector.

There are two profiles with the same attributes: embedded (SQLite or memory; events are read from the log) and
production (a database and Kafka). Building a container opens nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from attrs import evolve
from dependency_injector import containers, providers

from ..adapters import wire
from ..adapters.payment_gateway import SandboxGateway
from ..adapters.telemetry import Instruments, Scrape, States
from ..adapters.telemetry.instrumented import (
    InstrumentedCommand,
    InstrumentedCommitter,
    InstrumentedRelayTopic,
    Telemetry,
)
from ..adapters.wakeup import LocalWakeup
from ..application.analytics.analyse import Analyse
from ..application.auth import CachedTokens
from ..application.clock import Clock, NewId, StorageClock, utc_now
from ..application.customers.erase_customer import EraseCustomer
from ..application.customers.export_customer import ExportCustomer
from ..application.customers.forget_old_data import ForgetOldData
from ..application.dead_letters.drop import DropDeadLetter
from ..application.event_log.ports import Decode
from ..application.event_log.readers import Readers
from ..application.health.lag import Lag
from ..application.inventory.keep_stock import KeepStock
from ..application.notifications.list_notifications import ListNotifications
from ..application.notifications.notify import Notify
from ..application.notifications.ports import MessageTemplates, Notifier
from ..application.orders.assign_shipper import AssignShipper
from ..application.orders.cancel_order import CancelOrder
from ..application.orders.change_order import ChangeOrder
from ..application.orders.create_order import CreateOrder
from ..application.orders.find_confirmation import FindConfirmation
from ..application.orders.get_order import GetOrder
from ..application.orders.group_commit import GroupCommit
from ..application.orders.group_read import GroupRead
from ..application.orders.idempotency import Idempotent
from ..application.orders.list_orders import ListOrders
from ..application.orders.look_up_refunds import LookUpRefunds
from ..application.orders.order_as_of import OrderAsOf
from ..application.orders.order_timeline import OrderTimeline
from ..application.orders.ports import EventPublisher, PaymentGateway
from ..application.orders.price_authority import PriceAuthority
from ..application.orders.record_payment import RecordPayment
from ..application.orders.refund_order import RefundOrder
from ..application.orders.settle_payments import SettlePayments
from ..application.orders.transition_order_state import TransitionOrderState
from ..application.orders.unit_of_work import WriteSetUnitOfWork
from ..application.orders.use_cases import UseCases
from ..application.orders.write_set import WriteSet
from ..application.prices.change_prices import ChangePrices
from ..application.prices.check_prices import ListedPrices
from ..application.prices.read_prices import ReadPrices
from ..application.prices.use_cases import PriceUseCases
from ..application.relay.publish_pending import PublishPending
from ..application.rollout.cached_rollout import CachedRollout
from ..application.rollout.pause_consumer import PauseConsumer
from ..application.rollout.set_publishing_share import SetPublishingShare
from ..application.sessions import CachedSessions
from ..application.streams.feed import LogFeed
from ..application.streams.follow_order import FollowOrder
from ..application.streams.follow_orders import FollowOrders
from ..application.streams.shippers import ShipperHistory
from ..application.streams.use_cases import StreamUseCases
from ..application.webhooks.record_deliveries import RecordDeliveries
from ..domain.consent import RestaurantOrders
from ..domain.errors import InvalidInput
from ..domain.order import Order
from .settings import Settings
from .wiring import commit_notifications, mail, operator_tools, storage_and_consumers, webhooks
from .wiring import joining as joining_wiring
from .wiring import kafka as kafka_wiring
from .wiring import telemetry as telemetry_wiring
from .wiring.certificate import certificate_health
from .wiring.oidc import identity_health, oidc_tokens
from .wiring.own_consumers import Consumers, consumer_names, known_names
from .wiring.parts import check_given
from .wiring.payment_gateway import GATEWAY, payment_gateway
from .wiring.price_authority import price_authority

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Awaitable[Order]])


class PartProvider(providers.Singleton[Any]):
    """Provides a part that an application may replace until it is used. Later, what uses it would keep the old one."""

    used = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.used = True
        return super().__call__(*args, **kwargs)

    def override(self, provider: object) -> Any:
        """Replace the part. Raises RuntimeError if it is used already."""
        if self.used:
            raise RuntimeError(
                "this part is given too late, it is used already: give it to OrderFlow.open(...), "
                "or override it before the container is opened"
            )
        return super().override(provider)

    def reset(self) -> Any:
        """Forget the part, which may be replaced again."""
        self.used = False
        return super().reset()


def _with_kafka(profile: providers.Provider[str], provider: providers.Provider[T]) -> providers.Provider[T | None]:
    """Return ``provider`` in the production profile, None in the embedded one."""
    return providers.Selector(profile, embedded=providers.Object(None), production=provider)


def _instrumented(
    telemetry: providers.Provider[Telemetry],
    new_id: providers.Provider[NewId],
    command: str,
    use_case: providers.Provider[Command],
) -> providers.Provider[InstrumentedCommand[..., Order]]:
    return providers.Singleton(InstrumentedCommand, command, use_case, telemetry, new_id)


class Container(containers.DeclarativeContainer):
    """Both profiles; what they differ in is chosen by ``profile``, so that their attributes are the same."""

    settings = providers.Dependency(instance_of=Settings)
    profile = providers.Callable(storage_and_consumers.profile, settings)
    consumer_names = providers.Callable(consumer_names, settings)
    known_names = providers.Callable(known_names, settings)
    stopping = providers.Singleton(storage_and_consumers.stopping, settings)
    clock: providers.Provider[Clock] = PartProvider(lambda: utc_now)
    attempt_clock: providers.Provider[Clock] = providers.Callable(lambda clock: clock, clock)
    new_id: providers.Provider[NewId] = providers.Object(storage_and_consumers.new_id)
    decode: providers.Provider[Decode] = providers.Object(wire.decode_record)

    process_registration = providers.Singleton(
        storage_and_consumers.process_registration, providers.Callable(storage_and_consumers.new_id)
    )
    instruments = providers.Singleton(Instruments)
    tracing = providers.Singleton(telemetry_wiring.tracing, settings)
    telemetry = providers.Singleton(
        Telemetry, instruments, tracing, providers.Singleton(telemetry_wiring.destination, settings)
    )
    instrumented = partial(_instrumented, telemetry, new_id)
    news = providers.Singleton(LocalWakeup)
    commit_notifier = providers.Singleton(commit_notifications.commit_notifier, settings)
    commit_listener = providers.Singleton(commit_notifications.commit_listener, settings, commit_notifier, news)
    storage = PartProvider(
        storage_and_consumers.storage,
        settings,
        providers.Callable(commit_notifications.on_commit, news, commit_notifier),
        instruments,
    )
    joining = providers.Singleton(joining_wiring.joining, settings, storage, commit_notifier)
    storage_clock = providers.Singleton(StorageClock, storage.provided.now)
    effects = PartProvider(storage_and_consumers.consumer_stores, storage)
    gateway: providers.Provider[PaymentGateway] = PartProvider(payment_gateway, settings)

    log_source = providers.Singleton(storage_and_consumers.log_source, storage, news, settings)
    kafka = _with_kafka(profile, providers.Singleton(kafka_wiring.kafka_settings, settings, instruments))
    relay_topic = _with_kafka(profile, providers.Singleton(kafka_wiring.relay_topic, kafka))
    topic_reader = _with_kafka(
        profile, providers.Factory(kafka_wiring.topic_reader, kafka, skipped=storage.provided.skipped_records.places)
    )
    topic_admin = providers.Singleton(kafka_wiring.topic_admin, kafka)
    source = providers.Singleton(kafka_wiring.source, kafka, settings, log_source, storage)

    buckets = providers.Callable(lambda storage: lambda: storage.buckets, storage)
    current_rollout = providers.Singleton(CachedRollout, storage.provided.rollout, buckets)
    direct = providers.Singleton(kafka_wiring.direct, settings, kafka, telemetry, current_rollout)
    publisher: providers.Provider[Callable[[WriteSet], EventPublisher]] = PartProvider(kafka_wiring.publisher, direct)
    group_read = providers.Singleton(
        GroupRead,
        storage.provided.views,
        providers.Factory(storage_and_consumers.batching, "read", settings, telemetry),
    )
    unit_of_work = providers.Singleton(
        WriteSetUnitOfWork,
        committer=providers.Singleton(
            InstrumentedCommitter,
            providers.Singleton(
                GroupCommit,
                storage.provided.committer,
                providers.Factory(storage_and_consumers.batching, "commit", settings, telemetry),
            ),
            telemetry,
        ),
        read=group_read,
        events=publisher,
    )
    change_order = providers.Singleton(ChangeOrder, unit_of_work)
    settle_payments = providers.Singleton(
        SettlePayments,
        change_order=change_order,
        attempts=storage.provided.attempts,
        gateway=gateway,
        unit_of_work=unit_of_work,
        clock=clock,
        attempt_clock=attempt_clock,
    )
    cancel_order = providers.Singleton(CancelOrder, change_order, settle_payments, clock)
    instrumented_cancel_order = instrumented("cancel_order", cancel_order)
    get_order = providers.Singleton(GetOrder, group_read)
    timeline = providers.Singleton(OrderTimeline, get_order, storage.provided.log, decode)
    readers = providers.Singleton(
        Readers,
        storage.provided.cursors,
        consumer_names,
        relayed=providers.Callable(kafka_wiring.reads_topic, settings),
        built_in=known_names,
    )
    trace_order = providers.Singleton(
        operator_tools.trace_order,
        get_order=get_order,
        log=storage.provided.log,
        cursors=storage.provided.cursors,
        readers=readers,
        notifications=effects.provided.notifications,
        webhooks=effects.provided.webhooks,
        dead_letters=effects.provided.dead_letters,
        shortages=effects.provided.shortages,
        locator=_with_kafka(profile, providers.Singleton(kafka_wiring.record_locator, kafka)),
    )
    personal_data = providers.Singleton(storage_and_consumers.personal_data, storage, effects)
    erase_customer = providers.Singleton(EraseCustomer, personal_data, storage.provided.maintenance_log, clock)
    export_customer = providers.Singleton(
        ExportCustomer,
        storage.provided.views,
        effects.provided.notifications,
        effects.provided.contacts,
        storage.provided.tokens,
    )
    forget_old_data = providers.Singleton(
        ForgetOldData,
        storage.provided.log,
        storage.provided.cursors,
        personal_data,
        providers.Callable(storage_and_consumers.retention, settings),
    )
    tokens = providers.Singleton(CachedTokens, storage.provided.tokens)
    sessions = providers.Singleton(CachedSessions, storage.provided.sessions)
    oidc = providers.Singleton(oidc_tokens, settings, process_registration.provided.failures.note, instruments)
    restaurants = providers.Callable(lambda settings: RestaurantOrders(settings.restaurant_orders), settings)
    find_confirmation = providers.Singleton(FindConfirmation, storage.provided.attempts, gateway, restaurants)
    listed_prices = providers.Singleton(
        ListedPrices,
        storage.provided.prices,
        providers.Factory(storage_and_consumers.batching, "read", settings, telemetry),
    )
    price_authority: providers.Provider[PriceAuthority] = PartProvider(price_authority, settings, listed_prices)
    prices = providers.Singleton(
        PriceUseCases,
        providers.Singleton(ReadPrices, storage.provided.prices),
        providers.Singleton(ChangePrices, storage.provided.prices, clock, listed_prices.provided.forget),
    )
    use_cases = providers.Singleton(
        UseCases,
        create_order=instrumented(
            "create_order",
            providers.Singleton(CreateOrder, unit_of_work, clock, new_id, restaurants, price_authority),
        ),
        get_order=get_order,
        list_orders=providers.Singleton(
            ListOrders,
            storage.provided.views,
            clock,
            providers.Callable(lambda settings: settings.available_orders == "all", settings),
        ),
        timeline=timeline,
        as_of=providers.Singleton(OrderAsOf, timeline),
        transition_order_state=instrumented(
            "transition_order_state",
            providers.Singleton(
                TransitionOrderState,
                change_order,
                cancel_order,
                clock,
                providers.Callable(lambda settings: timedelta(minutes=settings.estimate_minutes), settings),
            ),
        ),
        assign_shipper=instrumented("assign_shipper", providers.Singleton(AssignShipper, change_order, clock)),
        record_payment=instrumented(
            "record_payment",
            providers.Singleton(
                RecordPayment,
                change_order=change_order,
                views=storage.provided.views,
                attempts=storage.provided.attempts,
                gateway=gateway,
                settle_payments=settle_payments,
                clock=clock,
                restaurants=restaurants,
            ),
        ),
        cancel_order=instrumented_cancel_order,
        refund_order=instrumented(
            "refund_order",
            providers.Singleton(RefundOrder, change_order, settle_payments, clock),
        ),
        settle_payments=settle_payments,
        look_up_refunds=providers.Singleton(
            LookUpRefunds, storage.provided.attempts, gateway, unit_of_work, clock, attempt_clock
        ),
        idempotent=providers.Singleton(Idempotent, storage.provided.answers),
        restaurants=restaurants,
    )

    webhook_news = providers.Singleton(LocalWakeup)
    webhook_client = providers.Factory(webhooks.client, settings, instruments)
    change_endpoints = providers.Factory(
        webhooks.change_endpoints,
        settings,
        storage,
        effects,
        storage.provided.maintenance_log,
        clock,
        storage_clock,
        new_id,
    )
    resend_deliveries = providers.Factory(
        webhooks.resend_deliveries,
        webhooks=effects.provided.webhooks,
        log=storage.provided.log,
        maintenance_log=storage.provided.maintenance_log,
        clock=clock,
        now=storage_clock,
        wake=webhook_news.provided.notify,
    )
    send_test = providers.Factory(
        webhooks.send_test,
        webhooks=effects.provided.webhooks,
        new_client=webhook_client.provider,
        new_id=new_id,
        now=storage_clock,
    )
    send_deliveries = providers.Factory(
        webhooks.send_deliveries,
        settings=settings,
        storage=storage,
        effects=effects,
        client=webhook_client,
        change=change_endpoints,
        now=storage_clock,
        news=webhook_news,
        rollout=current_rollout,
        owner=process_registration.provided.id,
        failed=process_registration.provided.failures.note,
    )

    list_notifications = providers.Singleton(ListNotifications, get_order, effects.provided.notifications)
    feed = providers.Singleton(
        LogFeed,
        log=storage.provided.log,
        orders=storage.provided.views,
        epochs=storage.provided.epochs,
        shippers=providers.Singleton(ShipperHistory, storage.provided.log, decode),
        wakeup=news.provided.listener,
        buckets=buckets,
        poll_interval=settings.provided.poll_seconds,
    )
    streams = providers.Singleton(
        StreamUseCases,
        feed=feed,
        follow_order=providers.Singleton(FollowOrder, feed, get_order, storage.provided.log),
        follow_orders=providers.Singleton(FollowOrders, feed, use_cases.provided.list_orders),
        tickets=storage.provided.stream_tickets,
    )

    channels: providers.Provider[Sequence[Notifier]] = PartProvider(mail.channels, settings, clock)
    templates: providers.Provider[MessageTemplates] = PartProvider(mail.templates, settings)
    shipped_consumers = providers.Singleton(
        storage_and_consumers.consumers,
        notifications=providers.Singleton(
            Notify,
            channels=providers.Callable(mail.instrumented_channels, channels, instruments),
            templates=templates,
            outbox=effects.provided.notifications,
            clock=clock,
            now=storage_clock,
            stopping=stopping.provided.stop.is_set,
            at_most=settings.provided.notification_attempts,
            payments=storage.provided.attempts,
        ),
        analytics=providers.Singleton(Analyse),
        inventory=providers.Singleton(KeepStock, effects.provided.shortages, instrumented_cancel_order, clock),
        webhooks=providers.Singleton(RecordDeliveries, storage_clock, webhook_news.provided.notify),
    )
    consumers = providers.Singleton(Consumers, shipped_consumers, settings)
    handle_batch = providers.Factory(
        storage_and_consumers.handle_batch,
        effects=effects,
        storage=storage,
        clock=clock,
        settings=settings,
        telemetry=telemetry,
    )
    redrive = providers.Factory(storage_and_consumers.redrive, effects=effects, clock=clock, telemetry=telemetry)
    dead_letter_kafka = providers.Singleton(kafka_wiring.dead_letter_kafka, kafka, settings)
    copying = providers.Factory(
        kafka_wiring.copying,
        dead_letter_kafka,
        effects.provided.dead_letters,
        storage_clock,
        process_registration.provided.failures.note,
    )
    dead_letter_admin = providers.Callable(kafka_wiring.topic_admin, dead_letter_kafka)
    change_undelivered = providers.Factory(
        operator_tools.change_undelivered,
        notifications=effects.provided.notifications,
        contacts=effects.provided.contacts,
        channels=channels,
        maintenance_log=storage.provided.maintenance_log,
        clock=clock,
    )
    resolve_refund = providers.Factory(
        operator_tools.resolve_refund, storage.provided.attempts, unit_of_work, storage.provided.maintenance_log, clock
    )
    repeat_refund = providers.Factory(
        operator_tools.repeat_refund,
        storage.provided.attempts,
        unit_of_work,
        storage.provided.maintenance_log,
        settle_payments,
        clock,
    )
    drop_dead_letter = providers.Factory(DropDeadLetter, effects.provided.store, clock)
    replay_sources = providers.Factory(storage_and_consumers.replay_sources, storage, topic_reader, settings)
    replay_events = providers.Factory(
        operator_tools.replay_events,
        store=effects.provided.store,
        cursors=storage.provided.cursors,
        dead_letters=effects.provided.dead_letters,
        log=storage.provided.log,
        sources=replay_sources,
        maintenance_log=storage.provided.maintenance_log,
        decode=decode,
        clock=clock,
        buckets=storage.provided.buckets,
    )
    compare_order = providers.Factory(
        operator_tools.compare_order, storage.provided.audit, replay_sources, decode, storage.provided.buckets
    )
    rebuild_analytics = providers.Factory(
        operator_tools.rebuild_analytics,
        shadow=effects.provided.analytics_shadow,
        log=storage.provided.log,
        cursors=storage.provided.cursors,
        dead_letters=effects.provided.dead_letters,
        queries=effects.provided.analytics,
        maintenance_log=storage.provided.maintenance_log,
        decode=decode,
        clock=clock,
        new_id=new_id,
        buckets=storage.provided.buckets,
    )
    publish_pending = providers.Factory(
        PublishPending,
        log=storage.provided.log,
        topic=providers.Singleton(InstrumentedRelayTopic, relay_topic, telemetry),
        cursors=storage.provided.cursors,
        batch=settings.provided.relay_batch,
        share=current_rollout.provided.published_buckets,
        epochs=storage.provided.epochs,
    )
    lag = providers.Factory(
        Lag,
        log=storage.provided.log,
        cursors=storage.provided.cursors,
        readers=readers,
        rollout=storage.provided.rollout,
        buckets=storage.provided.buckets,
    )
    set_publishing_share = providers.Factory(SetPublishingShare, storage.provided.rollout, clock)
    pause_consumer = providers.Factory(PauseConsumer, storage.provided.rollout, readers, clock)
    rollout_status = providers.Factory(
        operator_tools.rollout_status, storage.provided.rollout, storage.provided.maintenance_log, lag
    )
    stream_health = _with_kafka(profile, providers.Singleton(kafka_wiring.stream_health, kafka, settings, known_names))
    observe = providers.Factory(
        operator_tools.observe,
        database=providers.Singleton(storage_and_consumers.database_health, storage),
        stream=stream_health,
        storage=storage,
        log=storage.provided.log,
        processes=storage.provided.processes,
        tokens=storage.provided.tokens,
        prices=storage.provided.prices,
        rollout=storage.provided.rollout,
        epochs=storage.provided.epochs,
        dead_letters=effects.provided.dead_letters,
        payments=storage.provided.attempts,
        notifications=effects.provided.notifications,
        webhooks=effects.provided.webhooks,
        lag=lag.provider,
        clock=providers.Object(utc_now),
        mail=providers.Singleton(mail.smtp_health, settings),
        certificate=providers.Singleton(certificate_health, settings),
        identity=providers.Singleton(identity_health, settings),
    )
    examine = providers.Factory(
        operator_tools.examine,
        observe,
        providers.Callable(storage_and_consumers.expectations, settings, known_names),
    )
    states = providers.Singleton(
        States,
        instruments=instruments,
        lag=lag.provider,
        log=storage.provided.log,
        orders=storage.provided.views,
        dead_letters=effects.provided.dead_letters,
        payments=storage.provided.attempts,
        notifications=effects.provided.notifications,
        webhooks=effects.provided.webhooks,
        clock=clock,
        shipped=consumer_names,
        partitions=providers.Callable(kafka_wiring.partitions, topic_admin),
    )
    scrape = providers.Singleton(Scrape, instruments, states)
    relay_cursors = providers.Singleton(kafka_wiring.relay_cursors, kafka, settings)
    missed_events = providers.Factory(kafka_wiring.missed_events, relays=relay_cursors, storage=storage)
    find_lost_events = providers.Factory(
        operator_tools.find_lost_events,
        topic=topic_reader,
        log=storage.provided.log,
        epochs=storage.provided.epochs,
        cursors=storage.provided.cursors,
        relays=relay_cursors,
    )
    repair_log = providers.Factory(operator_tools.repair_log, find_lost_events, storage.provided.epochs, clock)
    skip_record = providers.Factory(
        operator_tools.skip_record,
        topic=settings.provided.topic,
        reader=topic_reader,
        log=storage.provided.log,
        epochs=storage.provided.epochs,
        skipped=storage.provided.skipped_records,
        clock=clock,
    )
    republish = providers.Factory(
        operator_tools.republish,
        log=storage.provided.log,
        epochs=storage.provided.epochs,
        relays=relay_cursors,
        clock=clock,
    )
    check_gateway = providers.Factory(operator_tools.check_gateway, storage.provided.attempts, gateway, clock)
    check = providers.Factory(
        operator_tools.check_all,
        log=storage.provided.log,
        orders_and_log=providers.Factory(
            operator_tools.check_orders_and_log,
            log=storage.provided.log,
            orders=storage.provided.audit,
            decode=decode,
            buckets=storage.provided.buckets,
        ),
        payments=providers.Factory(
            operator_tools.check_payments, storage.provided.attempts, storage.provided.audit, clock
        ),
        effects=providers.Factory(
            operator_tools.check_effects,
            log=storage.provided.log,
            cursors=storage.provided.cursors,
            decode=decode,
            notifications=effects.provided.notifications,
            analytics=effects.provided.analytics,
            shortages=effects.provided.shortages,
            dead_letters=effects.provided.dead_letters,
            webhooks=providers.Factory(
                operator_tools.check_webhooks,
                effects.provided.webhooks,
                storage.provided.now,
                providers.Callable(lambda settings: timedelta(days=settings.webhook_retention_days), settings),
            ),
        ),
        topic=providers.Callable(kafka_wiring.check_topic, topic_reader, storage, settings, current_rollout),
    )


def container_for(
    settings: Settings,
    *,
    clock: Clock | None = None,
    simulated: bool = False,
    gateway: PaymentGateway | None = None,
    channels: Sequence[Notifier] | None = None,
    templates: MessageTemplates | None = None,
    publisher: Callable[[WriteSet], EventPublisher] | None = None,
) -> Container:
    """Return the container of the profile that ``settings`` choose: production if Kafka's servers are given.

    ``clock`` replaces the system's. If it is ``simulated``, payment attempts keep the system's, because other processes
    settle those that are due, and cards are charged at the sandbox. ``gateway``, ``channels`` and ``templates`` replace
    those of the settings; the container closes a gateway and channels that can be closed. ``publisher`` makes the
    EventPublisher of each unit of work. Raises InvalidInput for a part that lacks something of its port.
    """
    if gateway is not None and not settings.payment_gateway:  # so that logs, settings and doctor say which it is
        settings = evolve(settings, payment_gateway=f"{type(gateway).__module__}:{type(gateway).__name__}")
    container = Container(settings=settings)
    if clock is not None:
        container.clock.override(providers.Object(_checked_clock(clock)))
    if gateway is not None:
        container.gateway.override(providers.Object(check_given(gateway, GATEWAY, "gateway")))
    if channels is not None:
        container.channels.override(providers.Object(mail.given_channels(channels)))
    if publisher is not None:
        allowed = "a function of a WriteSet that returns an EventPublisher"
        if not callable(publisher):
            raise InvalidInput("publisher", f"it is a {type(publisher).__name__}", allowed)
        container.publisher.override(providers.Object(publisher))
    if templates is not None:
        container.templates.override(providers.Object(check_given(templates, mail.TEMPLATES, "templates")))
    if simulated:
        if gateway is None:
            container.gateway.override(providers.Singleton(SandboxGateway))
        container.attempt_clock.override(providers.Object(utc_now))
    return container


def _checked_clock(clock: Clock) -> Clock:
    """Return ``clock``. Raises InvalidInput if it does not return an aware time."""
    allowed = "a function that returns the time as an aware datetime, in UTC"
    if not callable(clock):
        raise InvalidInput("clock", f"it is a {type(clock).__name__}", allowed)
    now: object = clock()
    if not isinstance(now, datetime):
        raise InvalidInput("clock", f"it returns a {type(now).__name__}", allowed)
    if now.utcoffset() is None:
        raise InvalidInput("clock", "it returns a time without a zone", allowed)
    return clock
