"""The HTTP door in front of the real use-cases on memory, and ways to call it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uuid_utils
from attrs import define, field
from dependency_injector import providers
from httpx import ASGITransport, AsyncClient, Response
from litestar import Litestar
from orderflow.adapters import wire
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.memory.consumer_store import MemoryConsumerStores
from orderflow.adapters.memory.customers import MemoryPersonalData
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.adapters.server_certificate import CertificateFiles
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.customers.erase_customer import EraseCustomer
from orderflow.application.customers.export_customer import ExportCustomer
from orderflow.application.event_log.records import Delivery
from orderflow.application.notifications.list_notifications import ListNotifications
from orderflow.application.orders.assign_shipper import AssignShipper
from orderflow.application.orders.cancel_order import CancelOrder
from orderflow.application.orders.change_order import ChangeOrder
from orderflow.application.orders.create_order import CreateOrder
from orderflow.application.orders.get_order import GetOrder
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.group_read import GroupRead
from orderflow.application.orders.idempotency import Idempotent
from orderflow.application.orders.list_orders import ListOrders
from orderflow.application.orders.look_up_refunds import LookUpRefunds
from orderflow.application.orders.order_as_of import OrderAsOf
from orderflow.application.orders.order_timeline import OrderTimeline
from orderflow.application.orders.price_authority import PriceAuthority, TrustPrices
from orderflow.application.orders.record_payment import RecordPayment
from orderflow.application.orders.refund_order import RefundOrder
from orderflow.application.orders.settle_payments import SettlePayments
from orderflow.application.orders.transition_order_state import TransitionOrderState
from orderflow.application.orders.unit_of_work import WriteSetUnitOfWork
from orderflow.application.orders.use_cases import UseCases
from orderflow.application.prices.change_prices import ChangePrices
from orderflow.application.prices.check_prices import ListedPrices
from orderflow.application.prices.read_prices import ReadPrices
from orderflow.application.prices.use_cases import PriceUseCases
from orderflow.application.sessions import CachedSessions
from orderflow.application.streams.feed import LogFeed
from orderflow.application.streams.follow_order import FollowOrder
from orderflow.application.streams.follow_orders import FollowOrders
from orderflow.application.streams.shippers import ShipperHistory
from orderflow.application.streams.use_cases import StreamUseCases
from orderflow.domain.actor import Actor
from orderflow.domain.consent import RestaurantOrders
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.http import create_app, new_token, serve
from orderflow.entrypoints.http.board import Board
from orderflow.entrypoints.http_app import operations_of
from orderflow.entrypoints.settings import Settings
from orderflow.testing.clock import ManualClock as HandClock
from orderflow.testing.consumers.webhook_receiver import webhook_use_cases

FEATURES = ("analytics", "customers", "webhooks", "prices", "board", "operations", "notifications")
"""The parts of the API that can be left out."""
CUSTOMER, RESTAURANT, SHIPPER, BOSS = "customer:C1", "restaurant:R7", "shipper:S3", "admin:boss"


@define
class Installation:
    """Everything behind the door, on memory; time stands still unless ``clock`` is moved."""

    clock: HandClock = field(factory=HandClock)
    storage: MemoryStorage = field(factory=MemoryStorage)
    gateway: SandboxGateway = field(factory=SandboxGateway)
    available_orders: bool = False
    restaurants: RestaurantOrders = RestaurantOrders.NONE
    listed: bool = False
    """True if new orders have listed prices."""
    listed_prices: ListedPrices = field(init=False)
    use_cases: UseCases = field(init=False)
    effects: MemoryConsumerStores = field(init=False)
    news: LocalWakeup = field(factory=LocalWakeup, init=False)
    streams: StreamUseCases = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.effects = MemoryConsumerStores(self.storage.cursors, self.storage.views)
        self.listed_prices = ListedPrices(self.storage.prices)
        self.use_cases = use_cases_on(
            self.storage,
            self.gateway,
            self.clock,
            available=self.available_orders,
            restaurants=self.restaurants,
            prices=self.listed_prices if self.listed else TrustPrices(),
        )
        self.storage.on_commit = self.news.notify
        self.streams = streams_on(self.storage, self.use_cases, self.news)

    def app(
        self,
        *,
        checks: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
        trust_actor_header: bool = True,
        features: Collection[str] = (),
        **options: Any,
    ) -> Litestar:
        """The application of the orders, and of these ``FEATURES``; with all it takes four times as long to build."""
        app: Litestar = create_app(
            self.use_cases,
            tokens=self.storage.tokens,
            checks={"database": self.storage.ping} if checks is None else checks,
            trust_actor_header=trust_actor_header,
            **{"streams": self.streams, **self._features(features), **options},
        )
        return app

    def _features(self, wanted: Collection[str]) -> dict[str, Any]:
        """Return the arguments of each feature that is wanted, and None for the others."""
        made: dict[str, Callable[[], Any]] = {
            "analytics": lambda: self.effects.analytics,
            "customers": self._customers,
            "webhooks": lambda: webhook_use_cases(self.storage, self.effects, self.clock),
            "prices": lambda: PriceUseCases(
                ReadPrices(self.storage.prices),
                ChangePrices(self.storage.prices, self.clock, self.listed_prices.forget),
            ),
            "board": lambda: Board(
                sessions=CachedSessions(self.storage.sessions),
                now=self.storage.now,
                available_orders=self.available_orders,
            ),
            "operations": lambda: operations_of(self.container()),
            "notifications": lambda: ListNotifications(self.use_cases.get_order, self.effects.notifications),
        }
        assert {*wanted} <= made.keys() == {*FEATURES}
        return {name: make() if name in wanted else None for name, make in made.items()}

    def _customers(self) -> tuple[EraseCustomer, ExportCustomer]:
        data = MemoryPersonalData(self.storage, self.effects)
        return (
            EraseCustomer(data, self.storage.maintenance_log, self.clock),
            ExportCustomer(self.storage.views, self.effects.notifications, self.effects.contacts, self.storage.tokens),
        )

    def container(self) -> Any:
        """The container of what operators use, on the same storage."""
        container = container_for(Settings(database_url="memory://"), clock=self.clock)
        container.storage.override(providers.Object(self.storage))
        container.effects.override(providers.Object(self.effects))
        return container

    async def token(self, actor: str, **limits: Any) -> str:
        """A new token of ``actor``."""
        secret: str
        secret, digest = new_token()
        await self.storage.tokens.add(digest, Actor.parse(actor), label="test", at=self.clock(), **limits)
        return secret

    async def analyse(self) -> None:
        """The consumer analytics handles all events so far, once."""
        heads = await self.storage.log.heads()
        records = await self.storage.log.read(dict.fromkeys(heads, 0), limit=10_000)
        async with self.effects.store("analytics") as work:
            await Analyse().handle([Delivery(record, wire.decode_record(record)) for record in records], work)


def use_cases_on(
    storage: MemoryStorage,
    gateway: SandboxGateway,
    clock: HandClock,
    *,
    available: bool = False,
    restaurants: RestaurantOrders = RestaurantOrders.NONE,
    prices: PriceAuthority | None = None,
) -> UseCases:
    work = WriteSetUnitOfWork(committer=GroupCommit(storage.committer), read=storage.views.get)
    change = ChangeOrder(work)
    payments = SettlePayments(change, storage.attempts, gateway, work, clock, clock)
    cancel = CancelOrder(change, payments, clock)
    get_order = GetOrder(GroupRead(storage.views))
    timeline = OrderTimeline(get_order, storage.log, wire.decode_record)
    return UseCases(
        create_order=CreateOrder(work, clock, lambda: str(uuid_utils.uuid7()), restaurants, prices or TrustPrices()),
        get_order=get_order,
        list_orders=ListOrders(storage.views, clock, available),
        timeline=timeline,
        as_of=OrderAsOf(timeline),
        transition_order_state=TransitionOrderState(change, cancel, clock),
        assign_shipper=AssignShipper(change, clock),
        record_payment=RecordPayment(change, storage.views, storage.attempts, gateway, payments, clock, restaurants),
        cancel_order=cancel,
        refund_order=RefundOrder(change, payments, clock),
        settle_payments=payments,
        look_up_refunds=LookUpRefunds(storage.attempts, gateway, work, clock, clock),
        idempotent=Idempotent(storage.answers),
        restaurants=restaurants,
    )


def streams_on(storage: Any, use_cases: UseCases, news: LocalWakeup) -> StreamUseCases:
    """Live streams that only commits wake up."""
    feed = LogFeed(
        log=storage.log,
        orders=storage.views,
        epochs=storage.epochs,
        shippers=ShipperHistory(storage.log, wire.decode_record),
        wakeup=news.listener,
        buckets=lambda: storage.buckets,
        poll_interval=60.0,
    )
    return StreamUseCases(
        feed=feed,
        follow_order=FollowOrder(feed, use_cases.get_order, storage.log),
        follow_orders=FollowOrders(feed, use_cases.list_orders),
        tickets=storage.stream_tickets,
    )


def as_local(app: Any) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """``app``, to which schemathesis, a ``testclient`` of ``testserver``, is a program of this machine."""

    async def called(scope: Any, receive: Any, send: Any) -> None:
        headers = [(name, b"localhost" if name == b"host" else value) for name, value in scope.get("headers", ())]
        await app({**scope, "client": ("127.0.0.1", 50_000), "headers": headers}, receive, send)

    return called


@asynccontextmanager
async def calling(app: Litestar, actor: str = BOSS) -> AsyncIterator[AsyncClient]:
    """A client that says it is ``actor``; a server error is an answer, not an exception."""
    asgi: Any = app
    transport = ASGITransport(asgi, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://localhost", timeout=180) as client:
        client.headers["X-Actor"] = actor
        yield client


@define
class ServedApi:
    """A server that answers; ``stop`` it, and wait for ``task``."""

    url: str
    stop: asyncio.Event
    task: asyncio.Task[None] = field(repr=False)


@asynccontextmanager
async def served(app: Litestar, *, tls: CertificateFiles | None = None, **limits: float) -> AsyncIterator[ServedApi]:
    """A server of ``app``, with these limits of connections."""
    scheme = "http" if tls is None else "https"
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(
            app,
            host="127.0.0.1",
            port=0,
            stop=stop,
            on_ready=lambda host, port: ready.set_result(f"{scheme}://{host}:{port}"),
            grace_seconds=5,
            limits=limits,
            tls=tls,
        )
    )
    try:
        async with asyncio.timeout(180):
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            url = ready.result() if ready.done() else await task
            assert url is not None
        yield ServedApi(url, stop, task)
    finally:
        stop.set()
        async with asyncio.timeout(180):
            await asyncio.wait({task})


def an_order(**changes: Any) -> dict[str, Any]:
    """The body of an order of two pizzas for 25.00; a change to None leaves the field out."""
    body: dict[str, Any] = {
        "userId": "C1",
        "restaurantId": "R7",
        "orderDetails": [{"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 2, "discount": 0}],
        "paymentMethod": "cash",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


async def placed(client: AsyncClient, order_id: str = "O1", **changes: Any) -> Response:
    """An order that is there now."""
    answer = await client.post("/v1/orders", json=an_order(orderId=order_id, **changes))
    assert answer.status_code == 201, answer.text
    return answer
