"""Routes to webhook endpoints and their deliveries, for admins with a token to operate."""

from functools import partial
from typing import Annotated, Any
from urllib.parse import unquote

from attrs import frozen
from litestar import Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from ...application.orders.queries import MAX_PAGE
from ...application.replay.replay_range import ReplayStart
from ...application.webhooks.change_endpoints import ChangeEndpoints
from ...application.webhooks.delivery import DeliveryStatus
from ...application.webhooks.ports import Webhooks
from ...application.webhooks.resend import ResendDeliveries, SendTest
from ...domain.actor import Actor, Role
from ...domain.errors import InvalidInput
from ...domain.text import identifier
from .correlation import ABOUT
from .exact_body import ExactBody
from .openapi import problems
from .parameters import limit, parse_identifier, parse_limit, query
from .reads import json_response
from .role_guard import for_roles
from .webhook_bodies import (
    AddWebhookEndpoint,
    ChangeWebhookEndpoint,
    ReplayWebhooks,
    ResendWebhooks,
    RotateWebhookSecret,
)
from .webhook_views import (
    DeliveriesView,
    EndpointsView,
    EndpointView,
    SecretView,
    TestView,
    deliveries_view,
    endpoint_view,
)

READS = problems(400, 401, 403, 404, 500, 503)
CHANGES = problems(400, 401, 403, 404, 413, 415, 500, 503)


@frozen
class WebhookRoutes:
    """The use-cases of the routes, as one named dependency."""

    webhooks: Webhooks
    change: ChangeEndpoints
    resend: ResendDeliveries
    test: SendTest


@frozen
class EndpointCall:
    """A call about the endpoint ``id``. ``by`` is the caller, for the maintenance log."""

    routes: WebhookRoutes
    id: str
    by: str


def provide_endpoint_call(
    request: Request[Actor, Any, Any], routes: NamedDependency[WebhookRoutes], endpoint_id: FromPath[str]
) -> EndpointCall:
    """Return the call of a route of one endpoint. Raises InvalidInput for a text that is not an identifier."""
    return EndpointCall(routes, identifier(unquote(endpoint_id), field="endpointId"), str(request.user))


ENDPOINT_CALL = {"call": Provide(provide_endpoint_call, sync_to_thread=False)}
admins_only = for_roles(Role.ADMIN, refused="may not see or change webhook endpoints; only admins may")


@get(
    "/",
    responses=problems(400, 401, 403, 500, 503),
    operation_id="listWebhookEndpoints",
    summary="List webhook endpoints",
)
async def list_endpoints(routes: NamedDependency[WebhookRoutes]) -> Response[EndpointsView]:
    """Return all endpoints, at most 100, and how their receivers are doing."""
    return json_response(EndpointsView(endpoints=tuple(map(endpoint_view, await routes.webhooks.endpoints()))))


@post(
    "/",
    status_code=201,
    dto=ExactBody[AddWebhookEndpoint],
    return_dto=None,
    responses=problems(400, 401, 403, 413, 415, 500, 503),
    operation_id="addWebhookEndpoint",
    summary="Add a webhook endpoint",
)
async def add_endpoint(
    routes: NamedDependency[WebhookRoutes], data: JSONBody[AddWebhookEndpoint]
) -> Response[SecretView]:
    """Return its id and its signing secret, which is shown this once."""
    start = None if data.from_ is None else ReplayStart.parse(data.from_)
    endpoint, secret = await routes.change.add(
        data.url, types=data.types, restaurants=data.restaurants, label=data.label, start=start
    )
    return json_response(SecretView(id=endpoint.id, secret=secret, old_secret_ends_at=None), status=201)


@get(
    "/{endpoint_id:str}",
    responses=READS,
    dependencies=ENDPOINT_CALL,
    operation_id="getWebhookEndpoint",
    summary="Get a webhook endpoint",
)
async def get_endpoint(call: NamedDependency[EndpointCall]) -> Response[EndpointView]:
    """Return one endpoint, and how its receiver is doing."""
    return json_response(endpoint_view(await call.routes.webhooks.get(call.id)))


@get(
    "/{endpoint_id:str}/deliveries",
    responses=READS,
    dependencies=ENDPOINT_CALL,
    operation_id="listWebhookDeliveries",
    summary="List deliveries to a webhook endpoint",
)
async def list_deliveries(
    call: NamedDependency[EndpointCall],
    with_status: Annotated[
        str | None, query("status", "only deliveries with this status", enum=[*DeliveryStatus])
    ] = None,
    order_id: Annotated[str | None, query("orderId", "only events of this order")] = None,
    at_most: Annotated[str | None, limit("the most that are returned")] = None,
) -> Response[DeliveriesView]:
    """Return what was sent and what waits, the latest first."""
    endpoint = await call.routes.webhooks.get(call.id)
    if with_status is not None and with_status not in tuple(DeliveryStatus):
        raise InvalidInput("status", f"{with_status[:80]!r} is none", ", ".join(DeliveryStatus))
    number = parse_limit(at_most)
    if not 1 <= number <= MAX_PAGE:
        raise InvalidInput("limit", f"it is {number}", f"1 to {MAX_PAGE}")
    found = await call.routes.webhooks.list(
        endpoint.id,
        status=None if with_status is None else DeliveryStatus(with_status),
        order_id=parse_identifier(order_id, "orderId"),
        limit=number,
    )
    return json_response(deliveries_view(found))


_change = partial(post, status_code=200, return_dto=None, responses=CHANGES, dependencies=ENDPOINT_CALL)
"""A route that changes an endpoint or what waits for it."""


@_change(
    "/{endpoint_id:str}/rotate",
    dto=ExactBody[RotateWebhookSecret],
    operation_id="rotateWebhookSecret",
    summary="Create a new signing secret",
)
async def rotate(call: NamedDependency[EndpointCall], data: JSONBody[RotateWebhookSecret]) -> Response[SecretView]:
    """Return the new secret, which is shown this once. Until the old one ends, messages are signed with both."""
    endpoint, secret, until = await call.routes.change.rotate(call.id, hours=data.hours, by=call.by, reason=data.reason)
    return json_response(SecretView(id=endpoint.id, secret=secret, old_secret_ends_at=until))


@_change(
    "/{endpoint_id:str}/disable",
    dto=ExactBody[ChangeWebhookEndpoint],
    operation_id="disableWebhookEndpoint",
    summary="Disable a webhook endpoint",
)
async def disable(call: NamedDependency[EndpointCall], data: JSONBody[ChangeWebhookEndpoint]) -> Response[EndpointView]:
    """Send nothing more to it until it is enabled."""
    done = await call.routes.change.disable(call.id, by=call.by, reason=data.reason)
    return json_response(endpoint_view(done))


@_change(
    "/{endpoint_id:str}/enable",
    dto=ExactBody[ChangeWebhookEndpoint],
    operation_id="enableWebhookEndpoint",
    summary="Enable a webhook endpoint",
)
async def enable(call: NamedDependency[EndpointCall], data: JSONBody[ChangeWebhookEndpoint]) -> Response[EndpointView]:
    """Send what it has missed, and what follows."""
    done = await call.routes.change.enable(call.id, by=call.by, reason=data.reason)
    return json_response(endpoint_view(done))


@_change(
    "/{endpoint_id:str}/remove",
    status_code=204,
    dto=ExactBody[ChangeWebhookEndpoint],
    operation_id="removeWebhookEndpoint",
    summary="Remove a webhook endpoint",
)
async def remove(call: NamedDependency[EndpointCall], data: JSONBody[ChangeWebhookEndpoint]) -> None:
    """Delete it, its secrets and what waits for it."""
    await call.routes.change.remove(call.id, by=call.by, reason=data.reason)


@_change(
    "/{endpoint_id:str}/replay",
    dto=ExactBody[ReplayWebhooks],
    operation_id="replayWebhooks",
    summary="Send all events from somewhere on again",
)
async def replay(call: NamedDependency[EndpointCall], data: JSONBody[ReplayWebhooks]) -> Response[EndpointView]:
    """Send each order's events in sequence, with the same ids as before."""
    start = ReplayStart.parse(data.from_)
    done = await call.routes.change.replay(call.id, start, by=call.by, reason=data.reason)
    return json_response(endpoint_view(done))


@_change(
    "/{endpoint_id:str}/resend",
    dto=ExactBody[ResendWebhooks],
    operation_id="resendWebhooks",
    summary="Send an order's events again",
)
async def resend(
    request: Request[Actor, Any, Any], call: NamedDependency[EndpointCall], data: JSONBody[ResendWebhooks]
) -> Response[DeliveriesView]:
    """Return the deliveries, which are due now, with the same ids as before."""
    request.scope[ABOUT] = {"order_id": data.order_id}  # type: ignore[literal-required]
    done = await call.routes.resend(
        call.id,
        identifier(data.order_id, field="orderId"),
        sequence=data.sequence,
        by=call.by,
        reason=data.reason,
    )
    return json_response(deliveries_view(done))


@_change(
    "/{endpoint_id:str}/test",
    operation_id="testWebhookEndpoint",
    summary="Send a test message",
)
async def test(call: NamedDependency[EndpointCall]) -> Response[TestView]:
    """Send a signed message of the type webhook.test at once, and return how it was answered."""
    response = await call.routes.test(call.id)
    return json_response(TestView(accepted=response.accepted, code=response.code, detail=response.detail))


ROUTES = [
    list_endpoints,
    add_endpoint,
    get_endpoint,
    list_deliveries,
    rotate,
    disable,
    enable,
    remove,
    replay,
    resend,
    test,
]
