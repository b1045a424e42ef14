"""The composition root: which adapter keeps which port. The only place that knows dependency_injector.

Two profiles with the same attributes: embedded (SQLite or memory; events are read straight from the log) and
production (a database and Kafka). Building a container opens nothing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from dependency_injector import containers, providers

from ..adapters import wire
from ..adapters.memory import LocalWakeup
from ..adapters.notifications.templates import FileMessageTemplates
from ..adapters.payment_gateway import SandboxGateway
from ..adapters.telemetry import Instruments, Scrape, States
from ..adapters.telemetry.metrics.instrumented import InstrumentedRelayTopic
from ..adapters.telemetry.tracing.traced import TracedHandling, TracedRelayTopic
from ..application.analytics.analyse import Analyse
from ..application.check import CheckAll
from ..application.check.compare_order import CompareOrder
from ..application.check.effects import CheckEffects
from ..application.check.orders_and_log import CheckOrdersAndLog
from ..application.dead_letters.drop import DropDeadLetter
from ..application.health.doctor import Examine
from ..application.health.lag import Lag
from ..application.health.observe import Observe
from ..application.health.rollout_status import RolloutStatus
from ..application.health.trace_order import TraceOrder
from ..application.inventory.keep_stock import KeepStock
from ..application.notifications.notify import Notify
from ..application.orders.assign_shipper import AssignShipper
from ..application.orders.cancel_order import CancelOrder
from ..application.orders.change_order import ChangeOrder
from ..application.orders.create_order import CreateOrder
from ..application.orders.get_order import GetOrder
from ..application.orders.idempotency import Idempotent
from ..application.orders.list_orders import ListOrders
from ..application.orders.order_as_of import OrderAsOf
from ..application.orders.order_timeline import OrderTimeline
from ..application.orders.record_payment import RecordPayment
from ..application.orders.settle_refunds import SettleRefunds
from ..application.orders.transition_order_state import TransitionOrderState
from ..application.orders.unit_of_work import WriteSetUnitOfWork
from ..application.orders.use_cases import UseCases
from ..application.recovery.repair_log import FindLostEvents, RepairLog, Republish
from ..application.relay.publish_pending import PublishPending
from ..application.replay.rebuild_analytics import RebuildAnalytics
from ..application.rollout.pause_consumer import PauseConsumer
from ..application.rollout.set_publishing_share import SetPublishingShare
from .settings import CONSUMERS, Settings
from .wiring import commit_notifications as bells
from .wiring import kafka as of_topic
from .wiring import mail as of_mail
from .wiring import storage_and_consumers as build
from .wiring import telemetry as traces


def _where_kafka_is(profile: providers.Provider[str], provider: providers.Provider[Any]) -> providers.Provider[Any]:
    """``provider`` in the production profile; None in the embedded one."""
    return providers.Selector(profile, embedded=providers.Object(None), production=provider)


def _watched(
    command: str, use_case: providers.Provider[Any], around: providers.Provider[traces.Around]
) -> providers.Provider[Any]:
    return providers.Singleton(traces.command, around, command, use_case)


class Container(containers.DeclarativeContainer):
    """Both profiles; what they differ in is chosen by ``profile``, so their attributes are the same."""

    settings = providers.Dependency(instance_of=Settings)
    profile = providers.Callable(build.profile, settings)
    stopping = providers.Singleton(build.stopping, settings)
    clock: providers.Provider[Any] = providers.Object(build.utc_now)
    new_id: providers.Provider[Any] = providers.Object(build.new_id)
    decode: providers.Provider[Any] = providers.Object(wire.decode_record)

    process_registration = providers.Singleton(build.process_registration, providers.Callable(build.new_id))
    instruments = providers.Singleton(Instruments)
    tracing = providers.Singleton(traces.tracing, settings)
    around = providers.Singleton(traces.Around, instruments, tracing, new_id)
    destination = providers.Singleton(traces.destination, settings)
    news = providers.Singleton(LocalWakeup)
    commit_notifier = providers.Singleton(bells.commit_notifier, settings)
    commit_listener = providers.Singleton(bells.listener, settings, commit_notifier, news)
    storage: providers.Provider[Any] = providers.Singleton(
        build.storage, settings, providers.Callable(bells.telling, news, commit_notifier), instruments
    )
    effects: providers.Provider[Any] = providers.Singleton(build.effects, storage)
    gateway: providers.Provider[Any] = providers.Singleton(SandboxGateway)

    log_source: providers.Provider[Any] = providers.Singleton(build.from_log, storage, news, settings)
    kafka = _where_kafka_is(profile, providers.Singleton(of_topic.kafka_settings, settings, instruments))
    relay_topic = _where_kafka_is(profile, providers.Singleton(of_topic.relay_topic, kafka))
    topic_reader = _where_kafka_is(profile, providers.Factory(of_topic.topic_reader, kafka))
    topic_admin = _where_kafka_is(profile, providers.Singleton(of_topic.topic_admin, kafka))
    source: providers.Provider[Any] = providers.Singleton(of_topic.source, kafka, settings, log_source)

    current_rollout = providers.Singleton(build.current_rollout, storage)
    direct: providers.Provider[Any] = providers.Singleton(
        of_topic.direct,
        settings,
        kafka,
        providers.Callable(traces.observe_direct_publishing, around, destination),
        current_rollout,
    )
    unit_of_work = providers.Singleton(
        WriteSetUnitOfWork,
        committer=providers.Singleton(traces.committer, around, storage.provided.committer),
        orders=storage.provided.orders,
        events=providers.Callable(of_topic.publisher, direct),
    )
    change_order = providers.Singleton(ChangeOrder, unit_of_work)
    settle_refunds = providers.Singleton(
        SettleRefunds, attempts=storage.provided.attempts, gateway=gateway, unit_of_work=unit_of_work, clock=clock
    )
    cancel_order = providers.Singleton(CancelOrder, change_order, settle_refunds, clock)
    watched_cancel_order = _watched("cancel_order", cancel_order, around)
    get_order = providers.Singleton(GetOrder, storage.provided.views)
    timeline = providers.Singleton(OrderTimeline, get_order, storage.provided.log, decode)
    readers = providers.Singleton(build.readers, storage, settings, providers.Object(CONSUMERS))
    trace_order = providers.Singleton(
        TraceOrder,
        get_order=get_order,
        log=storage.provided.log,
        cursors=storage.provided.cursors,
        readers=readers,
        notifications=effects.provided.notifications,
        dead_letters=effects.provided.dead_letters,
        places=_where_kafka_is(profile, providers.Singleton(traces.record_locator, kafka)),
    )
    use_cases = providers.Singleton(
        UseCases,
        create_order=_watched("create_order", providers.Singleton(CreateOrder, unit_of_work, clock, new_id), around),
        get_order=get_order,
        list_orders=providers.Singleton(ListOrders, storage.provided.views),
        timeline=timeline,
        as_of=providers.Singleton(OrderAsOf, timeline),
        change_order=change_order,
        transition_order_state=_watched(
            "transition_order_state",
            providers.Singleton(
                TransitionOrderState,
                change_order,
                cancel_order,
                clock,
                providers.Callable(lambda settings: timedelta(minutes=settings.estimate_minutes), settings),
            ),
            around,
        ),
        assign_shipper=_watched("assign_shipper", providers.Singleton(AssignShipper, change_order, clock), around),
        record_payment=_watched(
            "record_payment",
            providers.Singleton(
                RecordPayment,
                change_order=change_order,
                views=storage.provided.views,
                attempts=storage.provided.attempts,
                gateway=gateway,
                settle_refunds=settle_refunds,
                unit_of_work=unit_of_work,
                clock=clock,
            ),
            around,
        ),
        cancel_order=watched_cancel_order,
        settle_refunds=settle_refunds,
        once=providers.Singleton(Idempotent, storage.provided.answers),
    )

    channels: providers.Provider[Any] = providers.Singleton(of_mail.channels, settings, clock)
    consumers = providers.Dict(
        notifications=providers.Singleton(
            Notify,
            channels=providers.Callable(of_mail.watched_channels, channels, instruments),
            wording=providers.Singleton(FileMessageTemplates),
            outbox=effects.provided.notifications,
            clock=clock,
            stopping=stopping.provided.stop.is_set,
        ),
        analytics=providers.Singleton(Analyse),
        inventory=providers.Singleton(KeepStock, effects.provided.shortages, watched_cancel_order, clock),
    )
    handle_batch = providers.Factory(
        build.handle_batch,
        effects=effects,
        storage=storage,
        clock=clock,
        settings=settings,
        instruments=instruments,
        watch=providers.Singleton(TracedHandling, tracing, destination),
    )
    redrive = providers.Factory(build.redrive, effects=effects, clock=clock, instruments=instruments)
    of_dead_letters: providers.Provider[Any] = providers.Singleton(of_topic.of_dead_letters, kafka, settings)
    copying: providers.Provider[Any] = providers.Factory(
        of_topic.copying,
        of_dead_letters,
        effects.provided.dead_letters,
        clock,
        process_registration.provided.failures.note,
    )
    dead_letter_admin: providers.Provider[Any] = providers.Callable(of_topic.admin_of, of_dead_letters)
    drop_dead_letter = providers.Factory(DropDeadLetter, effects.provided.store, clock)
    readings = providers.Factory(build.readings, storage, topic_reader, settings)
    replay_events = providers.Factory(
        build.replay_events, effects=effects, storage=storage, sources=readings, clock=clock
    )
    compare_order = providers.Factory(CompareOrder, storage.provided.audit, readings, decode, storage.provided.buckets)
    rebuild_analytics = providers.Factory(
        RebuildAnalytics,
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
        topic=providers.Singleton(
            TracedRelayTopic,
            providers.Singleton(InstrumentedRelayTopic, relay_topic, instruments),
            tracing,
            destination,
        ),
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
    rollout_status = providers.Factory(RolloutStatus, storage.provided.rollout, storage.provided.maintenance_log, lag)
    stream_health = _where_kafka_is(
        profile, providers.Singleton(of_topic.stream_health, kafka, settings, providers.Object(CONSUMERS))
    )
    observe = providers.Factory(
        Observe,
        database=providers.Singleton(build.database_health, storage),
        stream=stream_health,
        storage=storage,
        log=storage.provided.log,
        processes=storage.provided.processes,
        tokens=storage.provided.tokens,
        rollout=storage.provided.rollout,
        epochs=storage.provided.epochs,
        dead_letters=effects.provided.dead_letters,
        lag=lag.provider,
        clock=providers.Object(build.utc_now),
        mail=providers.Singleton(of_mail.watch, settings),
    )
    examine = providers.Factory(
        Examine, observe, providers.Callable(build.wanted, settings, providers.Object(CONSUMERS))
    )
    states = providers.Singleton(
        States,
        instruments=instruments,
        lag=lag.provider,
        log=storage.provided.log,
        orders=storage.provided.views,
        letters=effects.provided.dead_letters,
        clock=clock,
        shipped=providers.Object(CONSUMERS),
        partitions=providers.Callable(of_topic.partitions, topic_admin),
    )
    scrape = providers.Singleton(Scrape, instruments, states)
    relay_cursors = _where_kafka_is(profile, providers.Singleton(of_topic.relay_cursors, kafka, settings))
    missed_events = providers.Factory(of_topic.missed_events, relays=relay_cursors, storage=storage)
    find_lost_events = providers.Factory(
        FindLostEvents,
        topic=topic_reader,
        log=storage.provided.log,
        epochs=storage.provided.epochs,
        cursors=storage.provided.cursors,
        relays=relay_cursors,
    )
    repair_log = providers.Factory(RepairLog, find_lost_events, storage.provided.epochs, clock)
    republish = providers.Factory(
        Republish,
        log=storage.provided.log,
        epochs=storage.provided.epochs,
        relays=relay_cursors,
        clock=clock,
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
        topic=providers.Callable(of_topic.check_topic, topic_reader, storage, settings, current_rollout),
    )


def container_for(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> Any:
    """The container of the profile that ``settings`` ask for: production where Kafka is named.

    ``clock`` stands in for the system's, in a simulation.
    """
    container = Container(settings=settings)
    if clock is not None:
        container.clock.override(providers.Object(clock))
    return container
