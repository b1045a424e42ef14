"""``SyncOrderFlow``: the API for applications without an event loop, such as Flask, Django and Celery."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from functools import wraps
from inspect import isawaitable, iscoroutine
from types import MethodType, TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from attrs import evolve
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from ..application.consuming.declaring import Declaration, HandlerDecorator
from ..application.consuming.handlers import is_coroutine_function, transferable
from ..domain.errors import InvalidInput
from ..domain.text import shown
from .embedded import OrderFlow
from .flow_thread import FlowThread, on_a_thread
from .joining import JoinedOrders, SyncJoinable, current, not_joinable

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class Blocking(Generic[T, P, R]):
    """A method of ``T`` that waits for its result: the same arguments, documentation and errors, without await."""

    def __init__(self, method: Callable[Concatenate[T, P], Awaitable[R]]) -> None:
        @wraps(method)
        def call(calls: "Calls[T]", *args: P.args, **kwargs: P.kwargs) -> R:
            thread, target = calls._of()
            return thread.call(method, target, *args, **kwargs)

        self._call = call

    def __get__(self, calls: "Calls[T] | None", owner: type | None = None) -> Callable[P, R]:
        return self._call if calls is None else MethodType(self._call, calls)  # type: ignore[return-value]


class Calls(Generic[T]):
    """The base of what offers the methods of a ``T`` that is open on another thread."""

    def __init__(self, thread: FlowThread[Any], target: T) -> None:
        self._thread = thread
        self._target = target

    def _of(self) -> tuple[FlowThread[Any], T]:
        return self._thread, self._target


class SyncJoinedOrders(Calls[JoinedOrders]):
    """JoinedOrders for synchronous applications. ``SyncOrderFlow.joining`` yields it."""

    create_order = Blocking(JoinedOrders.create_order)
    get_order = Blocking(JoinedOrders.get_order)
    transition_order_state = Blocking(JoinedOrders.transition_order_state)
    assign_shipper = Blocking(JoinedOrders.assign_shipper)
    record_payment = Blocking(JoinedOrders.record_payment)
    cancel_order = Blocking(JoinedOrders.cancel_order)


class SyncOrderFlow(Calls[OrderFlow]):
    """An OrderFlow for synchronous applications. ``OrderFlow.open_sync`` returns one; close it, or use it in ``with``.

    Any thread may call it. It belongs to the process that opened it: a process that was forked afterwards opens one of
    its own, and calls of the other one raise RuntimeError there. So do calls inside a running event loop.
    """

    create_order = Blocking(OrderFlow.create_order)
    get_order = Blocking(OrderFlow.get_order)
    list_orders = Blocking(OrderFlow.list_orders)
    count_orders = Blocking(OrderFlow.count_orders)
    timeline = Blocking(OrderFlow.timeline)
    order_as_of = Blocking(OrderFlow.order_as_of)
    transition_order_state = Blocking(OrderFlow.transition_order_state)
    assign_shipper = Blocking(OrderFlow.assign_shipper)
    record_payment = Blocking(OrderFlow.record_payment)
    cancel_order = Blocking(OrderFlow.cancel_order)
    refund_order = Blocking(OrderFlow.refund_order)
    redrive = Blocking(OrderFlow.redrive)
    replay = Blocking(OrderFlow.replay)
    settled = Blocking(OrderFlow.settled)

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[OrderFlow]]) -> None:
        """Use ``OrderFlow.open_sync`` instead."""
        thread = FlowThread(opening, lambda flow: flow.container.settings().stop_seconds)
        thread.start()
        super().__init__(thread, thread.opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, timeout: float | None = None) -> None:
        """Close the flow: calls, handlers and consumers first finish what they are at. May be repeated.

        After ``timeout`` seconds, by default ``ORDERFLOW_STOP_SECONDS``, they are cancelled. Raises the error of a
        consumer that ended, and TimeoutError if a handler does not even end then.
        """
        self._thread.close(timeout)

    @contextmanager
    def joining(self, connection: SyncJoinable) -> Iterator[SyncJoinedOrders]:
        """Run commands in the transaction of ``connection``, the application's own on the same database.

        ``connection`` is a synchronous connection or session of SQLAlchemy; see OrderFlow.joining.
        """
        given = current(connection)
        if not isinstance(given, Connection | Session):
            allowed = "a Connection or Session of SQLAlchemy; OrderFlow.open joins asynchronous ones, too"
            raise not_joinable(given, allowed)
        with self._thread.entered(lambda: self._target.joining(given)) as orders:
            yield SyncJoinedOrders(self._thread, orders)

    def correlated(self, correlation_id: str | None = None, *, traceparent: str = "") -> AbstractContextManager[str]:
        """Give all calls inside the same ``correlation_id``, by default a new one, and yield it.

        Outside of such a block each command gets an id of its own. ``traceparent`` is W3C Trace Context; without, the
        application's own OpenTelemetry span is the parent, if there is one. Raises InvalidInput.
        """
        flow: OrderFlow = self._thread.opened
        return flow.correlated(correlation_id, traceparent=traceparent)

    @property
    def on(self) -> HandlerDecorator:
        """Call a plain function for each event of the given types: ``@flow.on(OrderDelivered)``; by default, of all.

        It runs on a thread, in order, at least once, from the first event of the log on, or with ``start="now"`` from
        the next one on. With ``batch=True`` it takes a list of events. Its cursors are stored under ``name``, by
        default the function's qualified name, so that it continues there after a restart. Events come from the log,
        also if Kafka is configured. Raises InvalidInput for an unknown type, a name that is taken, an ``async``
        function, or what cannot be called with an event.
        """
        return HandlerDecorator(self._register)

    def _register(self, declared: Declaration) -> None:
        if is_coroutine_function(declared.handler):
            allowed = "a plain function of one event; OrderFlow.open has `async def` handlers"
            raise InvalidInput("handler", f"{shown(declared.handler)} is a coroutine function", allowed)
        self._thread.call(self._started, evolve(declared, handler=_awaited(declared.handler)))

    async def _started(self, declared: Declaration) -> None:
        self._target._register(declared)


def _awaited(handler: Callable[[Any], Any]) -> Callable[[Any], Awaitable[None]]:
    """Return ``handler`` as a coroutine function that calls it on a thread, which holds up no end of the process."""

    async def call(argument: Any) -> Any:
        result = await on_a_thread(transferable, handler, argument)
        if isawaitable(result):
            if iscoroutine(result):
                result.close()
            raise RuntimeError(
                f"the handler returned a {type(result).__name__}, which a synchronous flow does not await"
            )
        return result

    wraps(handler)(call)
    named = handler if hasattr(handler, "__qualname__") else type(handler)
    call.__module__, call.__qualname__ = named.__module__, named.__qualname__
    return call
