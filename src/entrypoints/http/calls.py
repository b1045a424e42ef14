"""The call that a request makes, as the only dependency of its route.

Litestar resolves several dependencies in tasks of their own, which took about a sixth of a request's processor time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from attrs import field, frozen
from litestar import Request
from litestar.di import Provide
from litestar.params import FromPath

from ...application.orders.use_cases import UseCases
from ...domain.actor import Actor
from ...domain.errors import InvalidInput, OrderNotFound
from ...domain.text import identifier
from .caller_limits import Callers
from .log_limit import LogLimit

AUTHORIZED = "orderflow.authorized"
"""The key of the scope with the function that returns whether the caller still has its rights."""
LISTS_AT_ONCE = 4
"""Lists that are read and rendered at the same time, so that lists of large orders do not fill the memory."""
BATCHES_AT_ONCE = 8
"""Batches of orders that are carried out at the same time, of all callers."""


@frozen
class Api:
    """The parts that all calls share. ``currency`` is that of new orders; ``closing`` is set at the shutdown.

    ``failed`` is called with each error that is responded to with 5xx.
    """

    use_cases: UseCases
    currency: str
    closing: asyncio.Event
    callers: Callers
    failed: Callable[[Exception], None]
    streams: Any = None
    """The LiveStreams, if the application has any."""
    log_limit: LogLimit = field(factory=LogLimit)
    list_turns: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(LISTS_AT_ONCE))
    batch_turns: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(BATCHES_AT_ONCE))


@frozen
class Call:
    """A call and its caller. ``order`` is the id in the path; empty on routes without one.

    ``authorized`` returns whether the caller still has the rights that it came with.
    """

    by: Actor
    api: Api
    order: str = ""
    authorized: Callable[[], Awaitable[bool]] | None = None

    @property
    def use_cases(self) -> UseCases:
        return self.api.use_cases


def provide_call(request: Request[Actor, Any, Any]) -> Call:
    """Return the call of a route without an order."""
    return Call(request.user, request.app.state["api"], authorized=request.scope.get(AUTHORIZED))  # type: ignore[arg-type]


def provide_order_call(request: Request[Actor, Any, Any], order_id: FromPath[str]) -> Call:
    """Return the call of a route of one order. Raises OrderNotFound for a text that is not an identifier."""
    decoded = unquote(order_id)
    try:
        id_ = identifier(decoded, field="orderId")
        return Call(request.user, request.app.state["api"], id_, request.scope.get(AUTHORIZED))  # type: ignore[arg-type]
    except InvalidInput as e:
        raise OrderNotFound(decoded[:80]) from e


ORDER_CALL = {"call": Provide(provide_order_call, sync_to_thread=False)}
"""The dependencies of a route of one order."""
