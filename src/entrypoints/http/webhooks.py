"""Routes to webhook endpoints and their deliveries, for admins with a token to operate."""

from functools import partial
from typing import Annotated, Any
from urllib.parse import unquote

from attrs import frozen
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, JSONBody

from ...application.auth import Scope
from ...application.orders.queries import DEFAULT_PAGE, MAX_PAGE
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
from .openapi import CORRELATION, problems
from .parameters import parse_identifier, parse_limit, query
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
    delivery_view,
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


admins_only = for_roles(Role.ADMIN, refused="may not see or change webhook endpoints; only admins may")


@get(
    "/",
    response_headers=[CORRELATION],
    responses=problems(400, 401, 403, 500, 503),
    operation_id="listWebhookEndpoints",
    summary="List webhook endpoints",
    opt={"scope": Scope.OPERATE},
)
async def list_endpoints(routes: NamedDependency[WebhookRoutes]) -> Response[EndpointsView]:
    """Return all endpoints, at most 100, and how their receivers are doing."""
    return json_response(EndpointsView(endpoints=tuple(map(endpoint_view, await routes.webhooks.endpoints()))))


@post(
    "/",
    status_code=201,
    dto=ExactBody[AddWebhookEndpoint],
    return_dto=None,
    response_headers=[CORRELATION],
    responses=problems(400, 401, 403, 413, 415, 500, 503),
    operation_id="addWebhookEndpoint",
    summary="Add a webhook endpoint",
    opt={"scope": Scope.OPERATE, "creates": True},
)
async def add_endpoint(
    routes: NamedDependency[WebhookRoutes], data: JSONBody[AddWebhookEndpoint]
) -> Response[SecretView]:
    """Return its id and its signing secret, which is shown this once."""
    start = None if data.from_ is None else ReplayStart.parse(data.from_)
    endpoint, secret = await routes.change.add(
        data.url, types=data.types, restaurants=data.restaurants, label=data.label, start=start
    )
    return _json(201, SecretView(id=endpoint.id, secret=secret, old_secret_ends_at=None))


@get(
    "/{endpoint_id:str}",
    response_headers=[CORRELATION],
    responses=READS,
    operation_id="getWebhookEndpoint",
    summary="Get a webhook endpoint",
    opt={"scope": Scope.OPERATE},
)
async def get_endpoint(routes: NamedDependency[WebhookRoutes], endpoint_id: FromPath[str]) -> Response[EndpointView]:
    """Return one endpoint, and how its receiver is doing."""
    return json_response(endpoint_view(await routes.webhooks.get(_id(endpoint_id))))


@get(
    "/{endpoint_id:str}/deliveries",
    response_headers=[CORRELATION],
    responses=READS,
    operation_id="listWebhookDeliveries",
    summary="List deliveries to a webhook endpoint",
    opt={"query": {"status", "orderId", "limit"}, "scope": Scope.OPERATE},
)
async def list_deliveries(
    routes: NamedDependency[WebhookRoutes],
    endpoint_id: FromPath[str],
    with_status: Annotated[
        str | None, query("status", "only deliveries with this status", enum=[*DeliveryStatus])
    ] = None,
    order_id: Annotated[str | None, query("orderId", "only events of this order")] = None,
    limit: Annotated[
        str | None,
        query(
            "limit",
            f"the most that are returned, 1 to {MAX_PAGE}; the default is {DEFAULT_PAGE}",
            type=OpenAPIType.INTEGER,
            minimum=1,
            maximum=MAX_PAGE,
        ),
    ] = None,
) -> Response[DeliveriesView]:
    """Return what was sent and what waits, the latest first."""
    endpoint = await routes.webhooks.get(_id(endpoint_id))
    if with_status is not None and with_status not in tuple(DeliveryStatus):
        raise InvalidInput("status", f"{with_status[:80]!r} is none", ", ".join(DeliveryStatus))
    number = DEFAULT_PAGE if limit is None else parse_limit(limit, "limit")
    if not 1 <= number <= MAX_PAGE:
        raise InvalidInput("limit", f"it is {number}", f"1 to {MAX_PAGE}")
    found = await routes.webhooks.list(
        endpoint.id,
        status=None if with_status is None else DeliveryStatus(with_status),
        order_id=parse_identifier(order_id, "orderId"),
        limit=number,
    )
    return json_response(DeliveriesView(deliveries=tuple(map(delivery_view, found))))


_change = partial(
    post,
    return_dto=None,
    response_headers=[CORRELATION],
    responses=CHANGES,
    opt={"scope": Scope.OPERATE, "creates": True},
)
"""A route that changes an endpoint or what waits for it."""


@_change(
    "/{endpoint_id:str}/rotate",
    status_code=200,
    dto=ExactBody[RotateWebhookSecret],
    operation_id="rotateWebhookSecret",
    summary="Create a new signing secret",
)
async def rotate(
    request: Request[Actor, Any, Any],
    routes: NamedDependency[WebhookRoutes],
    endpoint_id: FromPath[str],
    data: JSONBody[RotateWebhookSecret],
) -> Response[SecretView]:
    """Return the new secret, which is shown this once. Until the old one ends, messages are signed with both."""
    endpoint, secret, until = await routes.change.rotate(
        _id(endpoint_id), hours=data.hours, by=str(request.user), reason=data.reason
    )
    return json_response(SecretView(id=endpoint.id, secret=secret, old_secret_ends_at=until))


@_change(
    "/{endpoint_id:str}/disable",
    status_code=200,
    dto=ExactBody[ChangeWebhookEndpoint],
    operation_id="disableWebhookEndpoint",
    summary="Disable a webhook endpoint",
)
async def disable(
    request: Request[Actor, Any, Any],
    routes: NamedDependency[WebhookRoutes],
    endpoint_id: FromPath[str],
    data: JSONBody[ChangeWebhookEndpoint],
) -> Response[EndpointView]:
    """Send nothing more to it until it is enabled."""
    done = await routes.change.disable(_id(endpoint_id), by=str(request.user), reason=data.reason)
    return json_response(endpoint_view(done))


@_change(
    "/{endpoint_id:str}/enable",
    status_code=200,
    dto=ExactBody[ChangeWebhookEndpoint],
    operation_id="enableWebhookEndpoint",
    summary="Enable a webhook endpoint",
)
async def enable(
    request: Request[Actor, Any, Any],
    routes: NamedDependency[WebhookRoutes],
    endpoint_id: FromPath[str],
    data: JSONBody[ChangeWebhookEndpoint],
) -> Response[EndpointView]:
    """Send what it has missed, and what follows."""
    done = await routes.change.enable(_id(endpoint_id), by=str(request.user), reason=data.reason)
    return json_response(endpoint_view(done))


@_change(
    "/{endpoint_id:str}/remove",
    status_code=204,
    dto=ExactBody[ChangeWebhookEndpoint],
    operation_id="removeWebhookEndpoint",
    summary="Remove a webhook endpoint",
)
async def remove(
    request: Request[Actor, Any, Any],
    routes: NamedDependency[WebhookRoutes],
    endpoint_id: FromPath[str],
    data: JSONBody[ChangeWebhookEndpoint],
) -> None:
    """Delete it, its secrets and what waits for it."""
    await routes.change.remove(_id(endpoint_id), by=str(request.user), reason=data.reason)


@_change(
    "/{endpoint_id:str}/replay",
    status_code=200,
    dto=ExactBody[ReplayWebhooks],
    operation_id="replayWebhooks",
    summary="Send all events from somewhere on again",
)
async def replay(
    request: Request[Actor, Any, Any],
    routes: NamedDependency[WebhookRoutes],
    endpoint_id: FromPath[str],
    data: JSONBody[ReplayWebhooks],
) -> Response[EndpointView]:
    """Send each order's events in sequence, with the same ids as before."""
    start = ReplayStart.parse(data.from_)
    done = await routes.change.replay(_id(endpoint_id), start, by=str(request.user), reason=data.reason)
    return json_response(endpoint_view(done))


@_change(
    "/{endpoint_id:str}/resend",
    status_code=200,
    dto=ExactBody[ResendWebhooks],
    operation_id="resendWebhooks",
    summary="Send an order's events again",
)
async def resend(
    request: Request[Actor, Any, Any],
    routes: NamedDependency[WebhookRoutes],
    endpoint_id: FromPath[str],
    data: JSONBody[ResendWebhooks],
) -> Response[DeliveriesView]:
    """Return the deliveries, which are due now, with the same ids as before."""
    request.scope[ABOUT] = {"order_id": data.order_id}  # type: ignore[literal-required]
    done = await routes.resend(
        _id(endpoint_id),
        identifier(data.order_id, field="orderId"),
        sequence=data.sequence,
        by=str(request.user),
        reason=data.reason,
    )
    return json_response(DeliveriesView(deliveries=tuple(map(delivery_view, done))))


@post(
    "/{endpoint_id:str}/test",
    status_code=200,
    response_headers=[CORRELATION],
    responses=CHANGES,
    operation_id="testWebhookEndpoint",
    summary="Send a test message",
    opt={"scope": Scope.OPERATE, "creates": True},
)
async def test(routes: NamedDependency[WebhookRoutes], endpoint_id: FromPath[str]) -> Response[TestView]:
    """Send a signed message of the type webhook.test at once, and return how it was answered."""
    response = await routes.test(_id(endpoint_id))
    return json_response(TestView(accepted=response.accepted, code=response.code, detail=response.detail))


def _id(text: str) -> str:
    """Return the endpoint's id in a path. Raises InvalidInput."""
    return identifier(unquote(text), field="endpointId")


def _json(status: int, view: object) -> Response[Any]:
    response = json_response(view)
    response.status_code = status
    return response


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
