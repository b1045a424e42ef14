"""``OrderFlow.joining``: commands in a transaction of the application's own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial, wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload

import anyio.to_thread
from attrs import evolve
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from ..adapters.sql.joining import SqlJoining
from ..application.orders.pending_writes import PendingWrites
from ..application.orders.unit_of_work import LogPublisher
from ..application.orders.use_cases import UseCases
from ..application.request_context import answering, current_request
from ..domain.errors import InvalidInput, NotConfigured
from ..domain.order import Order
from ..domain.text import shown
from .embedded import OrderFlow
from .wiring.joining import joined_use_cases

P = ParamSpec("P")
R = TypeVar("R")

SyncJoinable: TypeAlias = Connection | Session | scoped_session[Any]
Joinable: TypeAlias = SyncJoinable | AsyncConnection | AsyncSession | async_scoped_session[Any]
"""The objects that have a transaction of SQLAlchemy."""

BLOCK_ENDED = "this block has ended; call commands inside `with flow.joining(connection) as orders:`"
_DOOR = "joined"


class _Joined(Generic[P, R]):
    """A command of OrderFlow, called within another's transaction."""

    def __init__(self, method: Callable[Concatenate[OrderFlow, P], Coroutine[Any, Any, R]]) -> None:
        @wraps(method)
        async def call(orders: "JoinedOrders", *args: P.args, **kwargs: P.kwargs) -> R:
            with answering(evolve(current_request(), door=_DOOR)):
                return await method(orders._current(), *args, **kwargs)

        self._call = call

    @overload
    def __get__(
        self, orders: None, owner: type
    ) -> "Callable[Concatenate[JoinedOrders, P], Coroutine[Any, Any, R]]": ...

    @overload
    def __get__(self, orders: "JoinedOrders", owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...

    def __get__(self, orders: "JoinedOrders | None", owner: type) -> Callable[..., Coroutine[Any, Any, R]]:
        return self._call if orders is None else MethodType(self._call, orders)


class JoinedOrders:
    """The commands of an OrderFlow within a transaction of the application. ``OrderFlow.joining`` yields it.

    They read what the transaction sees, and each other's changes. Nothing is written before the end of the block, and
    all of it is committed, or not, by the application. Until then the returned orders are not in the database. A
    command that needs the payment gateway is refused: GuardFailed.
    """

    create_order = _Joined(OrderFlow.create_order)
    get_order = _Joined(OrderFlow.get_order)
    transition_order_state = _Joined(OrderFlow.transition_order_state)
    assign_shipper = _Joined(OrderFlow.assign_shipper)
    record_payment = _Joined(OrderFlow.record_payment)
    cancel_order = _Joined(OrderFlow.cancel_order)

    def __init__(self, flow: OrderFlow) -> None:
        """Use ``OrderFlow.joining`` instead."""
        self._flow: OrderFlow | None = flow

    def _current(self) -> OrderFlow:
        if self._flow is None:
            raise RuntimeError(BLOCK_ENDED)
        return self._flow

    def _end(self) -> None:
        self._flow = None


class _JoinedFlow(OrderFlow):
    """A flow whose commands are those of one block."""

    def __init__(self, flow: OrderFlow, use_cases: UseCases) -> None:
        super().__init__(flow.container)
        self._use_cases = use_cases

    @property
    def use_cases(self) -> UseCases:
        return self._use_cases


@asynccontextmanager
async def joining(flow: OrderFlow, given: Joinable) -> AsyncIterator[JoinedOrders]:
    """Implement OrderFlow.joining."""
    joins = _joining(flow)
    run = await _runner(current(given))
    await _recognize(joins, run)
    transaction = await run(joins.begin)

    async def read(order_id: str) -> Order:
        order: Order = await run(lambda _: transaction.read(order_id))
        return order

    pending = PendingWrites(read)
    orders = JoinedOrders(_JoinedFlow(flow, joined_use_cases(flow.use_cases, pending)))
    try:
        yield orders
    finally:
        orders._end()
    await run(lambda _: transaction.write(pending.sets))


Run = Callable[[Callable[[Connection], R]], Awaitable[R]]


def _joining(flow: OrderFlow) -> SqlJoining:
    """Return what joins transactions. Raises NotConfigured where there are none, or their commits would be missed."""
    if flow.container.publisher() is not LogPublisher:
        raise NotConfigured(
            "events go to a publisher, which does not see the commits of another transaction",
            "set ORDERFLOW_PUBLISHING=log, and give no publisher of your own",
        )
    joins: SqlJoining | None = flow.container.joining()
    if joins is None:
        raise NotConfigured("orders in memory have no transaction to join", "use a SQLite file, in tests too")
    return joins


def current(given: object) -> object:
    """Return ``given``, or the session that a scoped session has for this thread or task."""
    return given() if isinstance(given, scoped_session | async_scoped_session) else given


async def _runner(given: object) -> Run[Any]:
    """Return what runs a function of the connection. Raises InvalidInput if ``given`` leads to none."""
    if isinstance(given, AsyncSession):
        given = await given.connection()
    if isinstance(given, AsyncConnection):
        return given.run_sync
    if isinstance(given, Session):
        given = await anyio.to_thread.run_sync(given.connection)
    if not isinstance(given, Connection):
        allowed = "a Connection, Session, AsyncConnection or AsyncSession of SQLAlchemy"
        raise InvalidInput("connection", f"it is {shown(given)}", allowed)
    return partial(_on_a_thread, given)


async def _on_a_thread(connection: Connection, function: Callable[[Connection], R]) -> R:
    return await anyio.to_thread.run_sync(function, connection)


async def _recognize(joins: SqlJoining, run: Run[Any]) -> None:
    """Check once for each engine that it leads to the database of the orders."""
    if not await run(lambda connection: joins.knows(connection.engine)):
        async with joins.recognizing() as check:
            await run(check)
