"""The route for events of the payment gateway. It needs no token, because each event is signed."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from litestar import Request, Response, Router, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from ...application.orders.use_cases import UseCases
from .caller_limits import Callers

MAX_BODY_BYTES = 262_144
OrderOf = Callable[[bytes, str], str | None]
"""Returns the id of the order that a body with this signature is about. Raises InvalidInput."""


@frozen
class StripeEvents:
    """The dependencies of the route, as one named dependency."""

    order_of: OrderOf
    use_cases: UseCases


def limited(callers: Callers) -> Any:
    """Return a guard that limits the requests of each address, which counts as a caller of its own."""

    async def admit(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        peer = connection.client.host if connection.client else ""
        await callers.admit(connection.scope, f"stripe {peer}")

    return admit


@post("/stripe", status_code=204, request_max_body_size=MAX_BODY_BYTES, include_in_schema=False)
async def receive_stripe(
    request: Request[Any, Any, Any],
    events: NamedDependency[StripeEvents],
) -> Response[None]:
    """Ask the gateway for the outcomes that the event's order waits for.

    What the event says is not used, so events may come twice, late and in any order.
    """
    order_id = events.order_of(await request.body(), request.headers.get("stripe-signature", ""))
    if order_id is not None:
        await events.use_cases.settle_payments(order_id)
    return Response(None, status_code=204)


def routers(order_of: OrderOf | None, use_cases: UseCases, callers: Callers, guards: Sequence[Guard]) -> list[Router]:
    """Return the router of the events; none without ``order_of``."""
    if order_of is None:
        return []
    events = StripeEvents(order_of, use_cases)
    return [
        Router(
            "/v1/webhooks",
            route_handlers=[receive_stripe],
            guards=[limited(callers), *guards],
            dependencies={"events": Provide(lambda: events, sync_to_thread=False)},
            security=[{}],
        )
    ]
