"""An installation that outlives its processes, and a process that is built upon what outlived the last."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import define, field, frozen
from dependency_injector import providers
from orderflow.adapters.memory import MemoryConsumerStores, MemoryNotifier, MemoryStorage
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.application.backoff import Backoff
from orderflow.application.consuming.consumer import Consumer
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.event_log.records import RELAY
from orderflow.application.orders.use_cases import UseCases
from orderflow.application.recovery.restore_guard import RestoreGuard
from orderflow.application.relay.run_relay import RunRelay
from orderflow.domain.errors import Unavailable
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import CONSUMERS, Settings
from orderflow.testing.consumers.shop import HandClock
from orderflow.testing.crash_points import CHANNEL, GATEWAY, STREAM, CrashPoints, NumberedCalls

from .counting_consumer import COUNTING, CountingConsumer
from .crash_point_adapters import NumberedEffects, NumberedStorage
from .topic import FromTopic, TopicWithGroups

Kept = tuple[Any, Any]
"""A storage and what consumers keep in it."""
EVERYBODY = (*CONSUMERS, COUNTING)
ROUNDS = 20
"""Relay and consumers in turn, until nothing is left to do: a round's effects may ask for more events."""


@define(eq=False)
class Installation:
    """The parts that survive a process: the storage, the topic with its cursors, the money at the gateway, the mail.

    ``connect`` gives a new process its way to the storage; ``close`` it after the last.
    """

    connect: Callable[[], Awaitable[Kept]]
    close: Callable[[], Awaitable[None]]
    settings: Settings
    topic: TopicWithGroups = field(factory=TopicWithGroups, init=False)
    gateway: SandboxGateway = field(factory=SandboxGateway, init=False)
    mail: MemoryNotifier = field(factory=MemoryNotifier, init=False)
    clock: HandClock = field(factory=HandClock, init=False)
    container: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.container = container_for(self.settings, clock=self.clock)
        self.container.storage_clock.override(providers.Object(self.clock.of_storage))


def in_memory() -> Installation:
    """One whose storage is in RAM, and outlives a process because the test holds it."""
    storage = MemoryStorage()
    kept = storage, MemoryConsumerStores(storage.cursors)

    async def connect() -> Kept:
        return kept

    return Installation(connect, storage.close, _settings("memory://"))


def at(url: str) -> Installation:
    """One on a migrated database.

    Its processes use one pool of connections in turn, which knows nothing that a process could go on from: a
    transaction that one leaves behind is rolled back, as the database does it when a connection breaks.
    """
    storage = SqlStorage.at(url, pool_size=2)

    async def connect() -> Kept:
        if not storage.database.buckets:
            await storage.open()
        return storage, SqlConsumerStores(storage)

    return Installation(connect, storage.close, _settings(url))


def _settings(url: str) -> Settings:
    """Small batches, so that a relay and a consumer need several for each client."""
    return Settings(database_url=url, relay_batch=3, consumer_batch=3)


@frozen
class Parts:
    """The parts of a process. A mutant has others."""

    def relay_topic(self, installation: Installation, crash_points: CrashPoints) -> Any:
        return NumberedCalls(installation.topic, crash_points, "topic", STREAM, first="cursors")

    def source(
        self, installation: Installation, crash_points: CrashPoints, consumer: str, idle: Callable[[], None]
    ) -> Any:
        return FromTopic(installation.topic, consumer, crash_points, idle)

    def storage(self, storage: Any, crash_points: CrashPoints) -> Any:
        return NumberedStorage(storage, crash_points)

    def effects(self, effects: Any, crash_points: CrashPoints) -> Any:
        return NumberedEffects(effects, crash_points)

    def handling(self, handle_batch: Any, consumer: Consumer, effects: Any) -> Any:
        return handle_batch


SHIPPED = Parts()


@define(eq=False)
class Process:
    """API, relay and consumers in one, wired by the container, each of their ways out a crash point."""

    installation: Installation
    crash_points: CrashPoints
    parts: Parts

    @property
    def container(self) -> Any:
        return self.installation.container

    @property
    def ask(self) -> UseCases:
        use_cases: UseCases = self.container.use_cases()
        return use_cases

    async def relay(self) -> None:
        """Publish until nothing is pending."""
        self.crash_points.enter("relay")
        stop = asyncio.Event()
        await RunRelay(
            self.container.publish_pending(),
            _Idle(stop),
            backoff=Backoff(0, 0),
        )(stop)

    async def consume(self, name: str) -> None:
        """Handle and settle until nothing is new."""
        self.crash_points.enter(name)
        stop = asyncio.Event()
        consumer = CountingConsumer() if name == COUNTING else self.container.consumers()[name]
        handle_batch, storage = self.container.handle_batch(consumer), self.container.storage()
        handle_batch.handle_batch.restore_guard = RestoreGuard(storage.log, storage.epochs)  # as where Kafka is named
        await RunConsumer(
            source=self.parts.source(self.installation, self.crash_points, name, stop.set),
            handle_batch=self.parts.handling(handle_batch, consumer, self.container.effects()),
            consumer=consumer,
            paused=partial(self.container.current_rollout().pauses, name),
            batch=self.container.settings().consumer_batch,
            backoff=Backoff(0, 0),
            gap_backoff=Backoff(0, 0),
        )(stop)

    async def work(self) -> None:
        """All that is to be done, until it is done. Raises AssertionError when it does not end."""
        for _ in range(ROUNDS):
            await self.relay()
            for name in EVERYBODY:
                await self.consume(name)
            self.crash_points.enter("housekeeping")
            with suppress(Unavailable):  # as housekeeping does, which asks again later
                await self.ask.settle_payments()
            if await self.is_quiet():
                return
        raise AssertionError(f"after {ROUNDS} rounds some events are still not handled: {await self.reached()}")

    async def is_quiet(self) -> bool:
        reached = await self.reached()
        heads = dict(await self.container.storage().inner.log.heads())
        return all(reached[reader] == heads for reader in ("topic", *EVERYBODY))

    async def reached(self) -> Mapping[str, Mapping[int, int]]:
        """Every cursor there is, by reader, past all crash points."""
        cursors = self.container.storage().inner.cursors
        topic = await self.installation.topic.cursors()
        found = {name: dict(await cursors.positions(name)) for name in (*EVERYBODY, RELAY)}
        return {**found, "topic": {bucket: at for bucket, at in topic.items() if at}}


async def process(installation: Installation, crash_points: CrashPoints, parts: Parts = SHIPPED) -> Process:
    """A process built anew; nothing of it but ``installation`` is there afterwards."""
    storage, effects = await installation.connect()
    container = installation.container
    container.reset_singletons()  # all that a process has in memory
    for provider, part in (
        (container.storage, parts.storage(storage, crash_points)),
        (container.effects, parts.effects(effects, crash_points)),
        (container.gateway, NumberedCalls(installation.gateway, crash_points, "gateway", GATEWAY)),
        (container.channels, [NumberedCalls(installation.mail, crash_points, "mail", CHANNEL)]),
        (container.relay_topic, parts.relay_topic(installation, crash_points)),
        (container.topic_reader, installation.topic),
    ):
        provider.reset_override()
        provider.override(part)
    return Process(installation, crash_points, parts)


@frozen
class _Idle:
    """A wakeup that ends a process which waits for news, as it has nothing to do."""

    stop: asyncio.Event

    def notify(self) -> None:
        """Do nothing on a commit."""

    async def wait(self, at_most: float) -> None:
        self.stop.set()
