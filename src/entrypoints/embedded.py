"""``OrderFlow``: the API for applications that embed orderflow, and for their tests."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from attrs import fields

from ..application.audit import keep_audit
from ..application.clock import Clock
from ..application.consuming.declaring import Declaration, HandlerDecorator
from ..application.dead_letters.redrive import RedriveResult
from ..application.event_log.records import Delivery
from ..application.health.processes import EMBEDDING
from ..application.notifications.ports import MessageTemplates, Notifier
from ..application.orders.create_order import NewOrder
from ..application.orders.ports import EventPublisher, PaymentGateway
from ..application.orders.queries import OrderPage, OrderQuery, StateCount
from ..application.orders.use_cases import UseCases
from ..application.orders.write_set import WriteSet
from ..application.prices.use_cases import PriceUseCases
from ..application.replay.replay_range import ReplayResult
from ..application.request_context import Request, answering, checked_correlation_id, is_traceparent
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
from ..domain.validation import Address
from .consumer_loops import check_consumers
from .container import Container, container_for
from .embedded_consumers import EmbeddedConsumers
from .http_app import http_app
from .settings import CONSUMERS, Settings
from .settings_source import load_settings
from .wiring.lifespan import listen_for_commits, opened
from .wiring.own_consumers import with_consumer

if TYPE_CHECKING:
    from litestar import Litestar

    from .joining import Joinable, JoinedOrders
    from .sync import SyncOrderFlow

PARTS = ("consumers", "gateway", "channels", "templates", "clock", "publisher")
"""The arguments of ``OrderFlow.open`` that are no settings."""
SYSTEM = Actor.parse("admin:embedded")
"""The actor of calls without ``by``: the embedding application is trusted."""
OTHER_LOOP = (
    "this OrderFlow was opened in another event loop, to which its connections belong; "
    "open one in each loop, or use OrderFlow.open_sync() from any thread"
)


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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._consumers = EmbeddedConsumers(container)

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
        if isinstance(consumers, str) or not isinstance(consumers, Sequence):
            raise InvalidInput("consumers", f"it is a {type(consumers).__name__}", "a list of names of consumers")
        names = []
        for named in consumers:
            if not isinstance(named, str):
                raise InvalidInput("consumers", f"it has a {type(named).__name__}", "a list of names of consumers")
            settings, name = with_consumer(settings, named)
            names.append(name)
        flow = cls(
            container_for(
                settings, clock=clock, gateway=gateway, channels=channels, templates=templates, publisher=publisher
            )
        )
        check_consumers(flow.container, names)
        process_registration = flow.container.process_registration()
        process_registration.runs(EMBEDDING)
        async with (
            opened(flow.container),
            process_registration.registered(flow.container.storage().processes, failing=False),
        ):
            flow._loop = asyncio.get_running_loop()
            try:
                for name in names:
                    flow._consumers.start(name)
                yield flow
            finally:
                try:
                    await flow._consumers.close()
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
        made = self.container.new_id()() if correlation_id is None else correlation_id
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
        app = http_app(self.container, development=development)
        listen_for_commits(self.container)
        async with app.lifespan():
            yield app

    @property
    def use_cases(self) -> UseCases:
        """The use-cases themselves, with every argument."""
        return self.container.use_cases()

    @property
    def prices(self) -> PriceUseCases:
        """The prices of restaurants, which new orders must have if the setting ``prices`` is ``list``."""
        return self.container.prices()

    @property
    def _own_consumers(self) -> EmbeddedConsumers:
        self._check_open()
        return self._consumers

    def _check_open(self) -> None:
        """Raise RuntimeError after the end of the block that opened the flow, and in another event loop."""
        if self._closed:
            raise RuntimeError("this OrderFlow is closed; use it inside its `async with` block")
        if self._loop is not None and asyncio._get_running_loop() not in (None, self._loop):
            raise RuntimeError(OTHER_LOOP)

    @property
    def container(self) -> Container:
        """The container behind this flow, for tools."""
        self._check_open()
        return self._built

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
            currency=self.container.settings().currency if currency is None else currency,
        )
        return await self.use_cases.create_order(new, by=by)

    async def get_order(self, order_id: str, *, by: Actor = SYSTEM) -> Order:
        return await self.use_cases.get_order(order_id, by=by)

    async def list_orders(self, query: OrderQuery | None = None, *, by: Actor = SYSTEM) -> OrderPage:
        return await self.use_cases.list_orders(OrderQuery() if query is None else query, by=by)

    async def count_orders(self, query: OrderQuery | None = None, *, by: Actor = SYSTEM) -> Sequence[StateCount]:
        """Count the orders that ``list_orders`` lists, by state; of each at most MOST_COUNTED."""
        return await self.use_cases.list_orders.count(OrderQuery() if query is None else query, by=by)

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
        self._own_consumers.register(declared)

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
        return await self._own_consumers.redrive(name, order_id, error=error, by=by, reason=reason, rate=rate)

    async def replay(self, name: str, start: str, *, by: str, reason: str, source: str = "log") -> ReplayResult:
        """Have a handler of this flow, or a built-in consumer, handle past events again, from ``start`` on.

        That is a position (``"1"`` is the first), ``"BUCKET:POSITION"``, a time, or ``"order:ID"``. A handler gets no
        new events meanwhile. ``by`` and ``reason`` are recorded. Raises InvalidInput, NotConfigured, OrderNotFound,
        Unavailable.
        """
        return await self._own_consumers.replay(name, start, by=by, reason=reason, source=source)

    async def settled(self, timeout: float = 60.0) -> None:
        """Wait until handlers and consumers of this flow have handled all events of the log. For tests.

        Raises the error of a handler or consumer that has parked an order since the last call, the error of a consumer
        that ended, and TimeoutError after ``timeout`` seconds.
        """
        await self._own_consumers.settled(timeout)


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
