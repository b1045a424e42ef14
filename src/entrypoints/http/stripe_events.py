"""The route for events of the payment gateway. It needs no token, because each event is signed."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from litestar import Request, Response, Router, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from ...application.orders.payment_attempts import GatewayEvent
from ...application.orders.use_cases import UseCases
from .caller_limits import Callers
from .routers import OwnRouter

MAX_BODY_BYTES = 262_144
EventOf = Callable[[bytes, str], GatewayEvent | None]
"""Returns what a body with this signature is about. Raises InvalidInput."""


@frozen
class StripeEvents:
    """The dependencies of the route, as one named dependency."""

    event_of: EventOf
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
    """Ask the gateway for the outcomes that the event's order waits for, and about the refund of the event.

    What the event says is not used, so events may come twice, late and in any order. Without an answer about a refund
    that was made, the event is refused, and Stripe sends it again.
    """
    event = events.event_of(await request.body(), request.headers.get("stripe-signature", ""))
    if event is not None:
        await events.use_cases.settle_payments(event.order_id)
        await events.use_cases.look_up_refunds.one(event.order_id, event.key)
    return Response(None, status_code=204)


def routers(event_of: EventOf | None, use_cases: UseCases, callers: Callers, guards: Sequence[Guard]) -> list[Router]:
    """Return the router of the events; none without ``event_of``."""
    if event_of is None:
        return []
    events = StripeEvents(event_of, use_cases)
    return [
        OwnRouter(
            "/v1/webhooks",
            route_handlers=[receive_stripe],
            guards=[limited(callers), *guards],
            dependencies={"events": Provide(lambda: events, sync_to_thread=False)},
            security=[{}],
        )
    ]
