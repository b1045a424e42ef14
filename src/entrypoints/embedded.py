"""``OrderFlow``: the API for applications that embed orderflow, and for their tests."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from attrs import fields

from ..application.audit import keep_audit
from ..application.backoff import RateLimit
from ..application.clock import Clock
from ..application.consuming.consumer import BatchResult, Consumer
from ..application.consuming.dead_letter import DeadLetter
from ..application.consuming.declaring import Declaration, HandlerDecorator
from ..application.consuming.handlers import HandlerConsumer
from ..application.consuming.log_source import LogEventSource
from ..application.consuming.run_consumer import RunConsumer
from ..application.dead_letters.redrive import RedriveResult
from ..application.event_log.records import Delivery, LogRecord, UnrecognizedRecord
from ..application.health.processes import EMBEDDING
from ..application.notifications.ports import MessageTemplates, Notifier
from ..application.orders.create_order import NewOrder
from ..application.orders.ports import EventPublisher, PaymentGateway
from ..application.orders.queries import OrderPage, OrderQuery, StateCount
from ..application.orders.use_cases import UseCases
from ..application.orders.write_set import WriteSet
from ..application.prices.use_cases import PriceUseCases
from ..application.replay.replay_range import ReplayResult, ReplayStart
from ..application.request_context import Request, answering, checked_correlation_id, is_traceparent
from ..application.webhooks.endpoint import WEBHOOKS
from ..domain.actor import Actor
from ..domain.annotations import Annotations
from ..domain.errors import InvalidInput, NotConfigured
from ..domain.events import OrderLine
from ..domain.history import OrderFacts
from ..domain.lifecycle import OrderState
from ..domain.money import Money
from ..domain.order import Order
from ..domain.payment import PaymentMethod
from ..domain.refund import RefundBearer
from ..domain.text import identifier
from ..domain.validation import Address
from .consumer_loops import Handle, check_consumers, consumer_loop, handler_loop, sending
from .container import Container, container_for
from .http_app import http_app
from .settings import CONSUMERS, RESERVED_NAMES, Settings
from .settings_source import load_settings
from .wiring.lifespan import listen_for_commits, opened
from .wiring.own_consumers import with_consumer
from .wiring.storage_and_consumers import ShippedTransaction

if TYPE_CHECKING:
    from litestar import Litestar

    from .joining import Joinable, JoinedOrders
    from .sync import SyncOrderFlow

PARTS = ("consumers", "gateway", "channels", "templates", "clock", "publisher")
"""The arguments of ``OrderFlow.open`` that are no settings."""
SYSTEM = Actor.parse("admin:embedded")
"""The actor of calls without ``by``: the embedding application is trusted."""


def _check_hooks() -> None:
    """Raise NotConfigured if the application has removed a hook without which Python starts no thread."""
    for module, hook in ((sys, "excepthook"), (threading, "excepthook")):
        if getattr(module, hook) is None:
            name = f"{module.__name__}.{hook}"
            raise NotConfigured(f"{name} is None, so Python starts no thread", f"set {name} to a function")


class OrderFlow:
    """An order service inside an application. ``open`` and ``in_memory`` return one that is open inside their block.

    Every method raises the errors of its use-case (``orderflow.application``); all derive from OrderFlowError.
    """

    def __init__(self, container: Container) -> None:
        """Use ``open`` instead. ``container`` is built and not yet opened."""
        self._built = container
        self._closed = False
        self._running_consumers: dict[str, Consumer[ShippedTransaction]] = {}
        self._handlers: dict[str, tuple[HandlerConsumer, asyncio.Lock]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._copying: asyncio.Task[None] | None = None
        self._sending: asyncio.Future[None] | None = None
        self._stop = asyncio.Event()
        self._failures: dict[tuple[str, str], Exception] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings | str | None = None,
        *,
        consumers: Sequence[str] = (),
        gateway: PaymentGateway | None = None,
        channels: Sequence[Notifier] | None = None,
        templates: MessageTemplates | None = None,
        clock: Clock | None = None,
        publisher: Callable[[WriteSet], EventPublisher] | None = None,
        **given: Any,
    ) -> AsyncIterator[Self]:
        """Open with settings, a database URL, or the environment; ``given`` are single settings.

        ``consumers`` are those to run in this process: ``notifications``, ``analytics``, ``inventory``, ``webhooks``,
        and your own as ``ORDERFLOW_CONSUMERS`` lists them.
        ``gateway``, ``channels``, ``templates`` and ``clock`` are parts of your own, in place of those that the
        settings name; ``publisher`` makes an EventPublisher for each command. A SQLite database is created and migrated
        as needed; PostgreSQL is migrated by ``orderflow db upgrade``.
        Raises InvalidInput, NotConfigured, StorageUnavailable.
        """
        settings = _settings(settings, given)
        _check_hooks()
        keep_audit()
        names = []
        for asked in consumers:
            settings, name = with_consumer(settings, asked)
            names.append(name)
        flow = cls(
            container_for(
                settings, clock=clock, gateway=gateway, channels=channels, templates=templates, publisher=publisher
            )
        )
        check_consumers(flow._container, names)
        process_registration = flow._container.process_registration()
        process_registration.runs(EMBEDDING)
        async with (
            opened(flow._container),
            process_registration.registered(flow._container.storage().processes, failing=False),
        ):
            try:
                for name in names:
                    flow._start(
                        flow._container.consumers()[name],
                        consumer_loop(flow._container, name, event_failed=flow._event_failed),
                    )
                yield flow
            finally:
                try:
                    await flow._close()
                finally:
                    flow._closed = True

    @classmethod
    @asynccontextmanager
    async def in_memory(
        cls,
        *,
        consumers: Sequence[str] = CONSUMERS,
        gateway: PaymentGateway | None = None,
        channels: Sequence[Notifier] | None = None,
        templates: MessageTemplates | None = None,
        clock: Clock | None = None,
        publisher: Callable[[WriteSet], EventPublisher] | None = None,
    ) -> AsyncIterator[Self]:
        """Open in memory with all consumers running, for tests and trials. The environment is ignored."""
        async with cls.open(
            Settings(database_url="memory://", poll_seconds=0.01),
            consumers=consumers,
            gateway=gateway,
            channels=channels,
            templates=templates,
            clock=clock,
            publisher=publisher,
        ) as flow:
            yield flow

    @classmethod
    def open_sync(
        cls,
        settings: Settings | str | None = None,
        *,
        consumers: Sequence[str] = (),
        gateway: PaymentGateway | None = None,
        channels: Sequence[Notifier] | None = None,
        templates: MessageTemplates | None = None,
        clock: Clock | None = None,
        publisher: Callable[[WriteSet], EventPublisher] | None = None,
        **given: Any,
    ) -> "SyncOrderFlow":
        """Open as ``open`` does, for applications without an event loop: Flask, Django, Celery, scripts.

        The flow runs on a thread of its own. Close it, or use it in ``with``. Raises what ``open`` raises, and
        RuntimeError inside a running event loop.
        """
        from .sync import SyncOrderFlow

        parts: dict[str, Any] = {"gateway": gateway, "channels": channels, "templates": templates, "clock": clock}
        return SyncOrderFlow(partial(cls.open, settings, consumers=consumers, publisher=publisher, **parts, **given))

    @classmethod
    def in_memory_sync(
        cls,
        *,
        consumers: Sequence[str] = CONSUMERS,
        gateway: PaymentGateway | None = None,
        channels: Sequence[Notifier] | None = None,
        templates: MessageTemplates | None = None,
        clock: Clock | None = None,
        publisher: Callable[[WriteSet], EventPublisher] | None = None,
    ) -> "SyncOrderFlow":
        """Open in memory as ``in_memory`` does, for tests of applications without an event loop."""
        from .sync import SyncOrderFlow

        parts: dict[str, Any] = {"gateway": gateway, "channels": channels, "templates": templates, "clock": clock}
        return SyncOrderFlow(partial(cls.in_memory, consumers=consumers, publisher=publisher, **parts))

    def joining(self, connection: "Joinable") -> "AbstractAsyncContextManager[JoinedOrders]":
        """Run commands in the transaction of ``connection``, the application's own on the same database.

        ``connection`` is an SQLAlchemy connection or session; ``async with flow.joining(session) as orders:`` yields
        the commands. At the end of the block their orders and events are written in that transaction, which the
        application commits or rolls back, soon: the log is locked in between, and other commands wait. After an
        exception inside nothing is written.

        Raises InvalidInput for another database, NotConfigured, StorageUnavailable; at the end of the block
        ConcurrentChange (repeat it: the transaction may go on), EventTooLarge, StorageUnavailable.
        """
        from .joining import joining

        return joining(self, connection)

    @contextmanager
    def correlated(self, correlation_id: str | None = None, *, traceparent: str = "") -> Iterator[str]:
        """Give all calls inside the same ``correlation_id``, by default a new one, and yield it.

        Outside of such a block each command gets an id of its own. ``traceparent`` is W3C Trace Context; without, the
        application's own OpenTelemetry span is the parent, if there is one. Raises InvalidInput.
        """
        made = self._container.new_id()() if correlation_id is None else correlation_id
        correlation = checked_correlation_id(made)
        if traceparent and not is_traceparent(traceparent):
            raise InvalidInput("traceparent", "it is not well-formed", "W3C Trace Context, 00-TRACE-SPAN-FLAGS")
        with answering(Request(correlation_id=correlation, traceparent=traceparent)):
            yield correlation

    @asynccontextmanager
    async def http_app(self, *, development: bool = False) -> AsyncIterator["Litestar"]:
        """Yield the HTTP API and the board as one ASGI application, to be mounted under a path of another.

        Callers need tokens; with ``development``, programs of this machine choose their actor. Live streams end with
        the block. Raises NotConfigured without the extra ``http``.
        """
        app = http_app(self._container, development=development)
        listen_for_commits(self._container)
        async with app.lifespan():
            yield app

    @property
    def use_cases(self) -> UseCases:
        """The use-cases themselves, with every argument."""
        return self._container.use_cases()

    @property
    def prices(self) -> PriceUseCases:
        """The prices of restaurants, which new orders must have if the setting ``prices`` is ``list``."""
        return self._container.prices()

    @property
    def _container(self) -> Container:
        """The container. Raises RuntimeError after the end of the block that opened the flow."""
        if self._closed:
            raise RuntimeError("this OrderFlow is closed; use it inside its `async with` block")
        return self._built

    @property
    def container(self) -> Container:
        """The container behind this flow, for tools."""
        return self._container

    async def create_order(
        self,
        *,
        customer_id: str,
        restaurant_id: str,
        lines: Sequence[OrderLine],
        payment_method: PaymentMethod | str = PaymentMethod.CASH,
        card_token: str | None = None,
        total: Money | None = None,
        address: Address | None = None,
        customer_name: str | None = None,
        customer_phone: str | None = None,
        note: str | None = None,
        metadata: Mapping[str, str] | None = None,
        order_id: str | None = None,
        currency: str | None = None,
        by: Actor = SYSTEM,
    ) -> Order:
        """Create an order, or return the existing one if ``order_id`` has the same content."""
        new = NewOrder(
            customer_id=customer_id,
            restaurant_id=restaurant_id,
            lines=lines,
            payment_method=PaymentMethod.parse(payment_method),
            card_token=card_token,
            total=total,
            address=address,
            annotations=Annotations.of(
                customer_name=customer_name, customer_phone=customer_phone, note=note, metadata=metadata
            ),
            order_id=order_id,
            currency=self._container.settings().currency if currency is None else currency,
        )
        return await self.use_cases.create_order(new, by=by)

    async def get_order(self, order_id: str, *, by: Actor = SYSTEM) -> Order:
        return await self.use_cases.get_order(order_id, by=by)

    async def list_orders(self, query: OrderQuery | None = None, *, by: Actor = SYSTEM) -> OrderPage:
        return await self.use_cases.list_orders(query or OrderQuery(), by=by)

    async def count_orders(self, query: OrderQuery | None = None, *, by: Actor = SYSTEM) -> Sequence[StateCount]:
        """Count the orders that ``list_orders`` lists, by state; of each at most MOST_COUNTED."""
        return await self.use_cases.list_orders.count(query or OrderQuery(), by=by)

    async def timeline(self, order_id: str, *, by: Actor = SYSTEM) -> Sequence[Delivery]:
        return await self.use_cases.timeline(order_id, by=by)

    async def order_as_of(self, order_id: str, moment: datetime, *, by: Actor = SYSTEM) -> OrderFacts:
        return await self.use_cases.as_of(order_id, moment, by=by)

    async def transition_order_state(
        self,
        order_id: str,
        state: OrderState | str,
        *,
        shipper_id: str | None = None,
        reason: str | None = None,
        by: Actor = SYSTEM,
    ) -> Order:
        return await self.use_cases.transition_order_state(
            order_id, OrderState.parse(state), by=by, shipper_id=shipper_id, reason=reason
        )

    async def assign_shipper(self, order_id: str, shipper_id: str, *, by: Actor = SYSTEM) -> Order:
        return await self.use_cases.assign_shipper(order_id, shipper_id, by=by)

    async def record_payment(self, order_id: str, *, paid: bool | None = None, by: Actor = SYSTEM) -> Order:
        return await self.use_cases.record_payment(order_id, by=by, paid=paid)

    async def cancel_order(self, order_id: str, reason: str, *, by: Actor = SYSTEM) -> Order:
        return await self.use_cases.cancel_order(order_id, reason, by=by)

    async def refund_order(
        self,
        order_id: str,
        reason: str,
        *,
        borne_by: RefundBearer | str,
        amount: Decimal | None = None,
        food_id: str | None = None,
        by: Actor = SYSTEM,
    ) -> Order:
        """Ask for a refund of ``amount``, of the lines of one food, or of all that is left of the payment."""
        return await self.use_cases.refund_order(
            order_id, reason, borne_by=RefundBearer.parse(borne_by), by=by, amount=amount, food_id=food_id
        )

    @property
    def on(self) -> HandlerDecorator:
        """Call a function for each event of the given types: ``@flow.on(OrderDelivered)``; by default, of all types.

        It is called in order, at least once, from the first event of the log on, or with ``start="now"`` from the next
        one on. An ``async def`` is awaited, a plain function runs on a thread. With ``batch=True`` it takes a list of
        events. Its cursors are stored under ``name``, by default the function's qualified name, so that it continues
        there after a restart. Events come from the log, also if Kafka is configured. Raises InvalidInput for an
        unknown type, a name that is taken, or what cannot be called with an event.
        """
        return HandlerDecorator(self._register)

    def _register(self, declared: Declaration) -> None:
        function: Any = declared.handler if hasattr(declared.handler, "__qualname__") else type(declared.handler)
        reader = identifier(declared.name or f"{function.__module__}.{function.__qualname__}"[-64:], field="name")
        if reader in self._tasks or reader in RESERVED_NAMES:
            raise InvalidInput("name", f"{reader!r} is taken", "a different name for each handler")
        consumer = HandlerConsumer(reader, declared.types, declared.handler, declared.batch)
        turn = asyncio.Lock()

        def in_turn(handle: Handle) -> Handle:
            async def handle_in_turn(records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
                async with turn:
                    return await handle(records)

            return handle_in_turn

        self._handlers[reader] = consumer, turn
        source = self._container.log_source()(reader)
        self._start(
            consumer,
            handler_loop(self._container, consumer, declared, source, event_failed=self._event_failed, around=in_turn),
        )

    async def redrive(
        self,
        name: str,
        order_id: str | None = None,
        *,
        error: str | None = None,
        by: str,
        reason: str,
        rate: float | None = None,
    ) -> RedriveResult:
        """Handle the events of the orders that ``name``, a handler or consumer of this flow, has parked, in order.

        These are all parked orders, or one, or those that were parked by an ``error`` of that class; at most ``rate``
        events per second. ``by`` and ``reason`` are recorded with each event. Raises InvalidInput, StorageUnavailable.
        """
        if name not in self._running_consumers:
            raise InvalidInput("name", f"{name!r} does not run here", ", ".join(self._running_consumers) or "none")
        redrive = self._container.redrive(consumer=self._running_consumers[name])
        return await redrive(order_id, error=error, by=by, reason=reason, pace=RateLimit(rate))

    async def replay(self, name: str, start: str, *, by: str, reason: str, source: str = "log") -> ReplayResult:
        """Have a handler of this flow, or a built-in consumer, handle past events again, from ``start`` on.

        That is a position (``"1"`` is the first), ``"BUCKET:POSITION"``, a time, or ``"order:ID"``. A handler gets no
        new events meanwhile. ``by`` and ``reason`` are recorded. Raises InvalidInput, NotConfigured, OrderNotFound,
        Unavailable.
        """
        consumer, turn = self._handlers.get(name) or (self._container.consumers().get(name), nullcontext())
        if consumer is None:
            known = (*self._container.consumers(), *self._handlers)
            raise InvalidInput("name", f"{name!r} is not a handler or consumer", ", ".join(known))
        replay = self._container.replay_events(consumer=consumer)
        async with turn:
            return await replay(ReplayStart.parse(start), by=by, reason=reason, source=source)

    async def settled(self, timeout: float = 10.0) -> None:
        """Wait until handlers and consumers of this flow have handled all events of the log. For tests.

        Raises the error of a handler or consumer that has parked an order since the last call, the error of a consumer
        that ended, and TimeoutError after ``timeout`` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await self._is_settled():
                    for task in self._tasks.values():
                        if task.done():
                            await task
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            raise error from next(reversed(self._failures.values()), None)
        await self._raise_failure()

    async def _raise_failure(self) -> None:
        """Raise the first error of those that have parked an order, and forget all."""
        failures, self._failures = self._failures, {}
        dead_letters = self._container.effects().dead_letters
        parked = {(it.consumer, it.record.order_id) for name in self._tasks for it in await dead_letters.blocking(name)}
        if found := [(name, order, error) for (name, order), error in failures.items() if (name, order) in parked]:
            for name, order, error in found:
                found[0][2].add_note(f"{name} has parked order {order}: {type(error).__name__}")
            raise found[0][2]

    def _event_failed(self, dead_letter: DeadLetter, error: Exception) -> None:
        self._failures[dead_letter.consumer, dead_letter.record.order_id] = error

    async def _is_settled(self) -> bool:
        storage = self._container.storage()
        before = dict(await storage.log.heads())
        for name in self._tasks:
            positions = await storage.cursors.positions(name)
            if name == WEBHOOKS and not positions:
                continue  # without an endpoint it handles nothing
            if {bucket: at for bucket, at in positions.items() if at} != before:
                return False
        if "inventory" in self._tasks and await self._container.effects().shortages.unsettled(1):
            return False
        return dict(await storage.log.heads()) == before

    def _start(self, consumer: Consumer[ShippedTransaction], loop: RunConsumer) -> None:
        name = consumer.name
        self._container.process_registration().runs(name, loop.source)
        if isinstance(loop.source, LogEventSource):
            listen_for_commits(self._container)
        if self._copying is None and (copying := self._container.copying()) is not None:
            self._copying = asyncio.get_running_loop().create_task(copying(self._stop), name="copying")
        if name == WEBHOOKS:
            self._sending = asyncio.ensure_future(sending(self._container)(self._stop))
        self._running_consumers[name] = consumer
        self._tasks[name] = asyncio.get_running_loop().create_task(loop(self._stop), name=name)

    async def _close(self) -> None:
        self._stop.set()
        self._container.news().notify()
        running = [*self._tasks.values(), *(it for it in (self._copying, self._sending) if it is not None)]
        outcomes = await asyncio.gather(*running, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if failures:
            raise failures[0]


def _settings(settings: Settings | str | None, given: dict[str, Any]) -> Settings:
    """Return the settings of ``OrderFlow.open``. Raises InvalidInput for arguments that contradict each other."""
    allowed = "Settings, a database URL, or settings by name"
    for name in given.keys() - {a.name for a in fields(Settings)}:
        if nearest := get_close_matches(name, PARTS, 1):
            raise InvalidInput(name, f"there is no such part or setting; did you mean {nearest[0]}?", ", ".join(PARTS))
    if isinstance(settings, Settings):
        if given:
            raise InvalidInput(", ".join(given), "given together with Settings, which would ignore it", allowed)
        return settings
    if settings is None:
        return load_settings(**given)
    if not isinstance(settings, str):
        raise InvalidInput("settings", f"it is a {type(settings).__name__}", allowed)
    if "database_url" in given:
        raise InvalidInput("database_url", "given twice", allowed)
    return load_settings(**given, database_url=settings)
