"""The ASGI application: authentication, validation of requests, and the routes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.events import BaseEventEmitterBackend
from litestar.handlers import BaseRouteHandler

from ...adapters.telemetry import Instruments
from ...adapters.telemetry.tracing.tracing import Tracing
from ...application.analytics.ports import AnalyticsQueries
from ...application.auth import IdentityTokens, Scope
from ...application.customers.erase_customer import EraseCustomer
from ...application.customers.export_customer import ExportCustomer
from ...application.notifications.list_notifications import ListNotifications
from ...application.orders.use_cases import UseCases
from ...application.prices.use_cases import PriceUseCases
from ...application.streams.use_cases import StreamUseCases
from ...application.webhooks.change_endpoints import ChangeEndpoints
from ...application.webhooks.ports import Webhooks
from ...application.webhooks.resend import ResendDeliveries, SendTest
from . import analytics as analytics_routes
from . import batch, dead_letters, exports, lifecycle, problems, reads, stream, stream_tickets, writes
from . import customers as customer_routes
from . import notifications as notification_routes
from . import operations as operation_routes
from . import prices as price_routes
from . import stripe_events as stripe_routes
from . import webhooks as webhook_routes
from .auth import GRANT, Authenticator, KnownTokens, Unauthenticated, check_scope
from .board import Board
from .board.pages import pages_router
from .board.sessions import CookieSessions, SessionDoor, session_router
from .caller_limits import CallerLimits, Callers
from .calls import AUTHORIZED, Api, provide_call
from .conditions import (
    note_query_parameters,
    refuse_idempotency_key,
    refuse_other_spellings,
    refuse_repeated_headers,
    refuse_unknown_parameters,
    refuse_unsupported_conditions,
    require_json,
)
from .cors import Cors
from .direct import direct_routes
from .docs_page import docs_router
from .health import Checks, livez, readyz
from .metrics import InstrumentedApp
from .openapi import CORRELATION, PATH, CamelViews, ExactNumbers, openapi_config
from .routers import OwnRouter

Hook = Callable[[], Awaitable[None]]
MAX_BODY_BYTES = 1_000_000
Options = Mapping[str, Any] | None
OPERATING = {"scope": Scope.OPERATE, "creates": True}
"""Options of routes for operators, of which none compares a version."""


def create_app(
    use_cases: UseCases,
    *,
    tokens: KnownTokens,
    checks: Mapping[str, Hook],
    trust_actor_header: bool,
    analytics: AnalyticsQueries | None = None,
    currency: str = "USD",
    max_body_bytes: int = MAX_BODY_BYTES,
    on_startup: Sequence[Hook] = (),
    on_shutdown: Sequence[Hook] = (),
    stopping: Callable[[], bool] = lambda: False,
    stopped_parts: Callable[[], Mapping[str, str]] = dict,
    tracing: Tracing | None = None,
    instruments: Instruments | None = None,
    failed: Callable[[Exception], None] = lambda error: None,
    limits: Mapping[str, Any] = MappingProxyType({}),
    identity: IdentityTokens | None = None,
    customers: tuple[EraseCustomer, ExportCustomer] | None = None,
    webhooks: tuple[Webhooks, ChangeEndpoints, ResendDeliveries, SendTest] | None = None,
    cors_origins: Sequence[str] = (),
    board: Board | None = None,
    operations: Mapping[str, Any] | None = None,
    prices: PriceUseCases | None = None,
    streams: StreamUseCases | None = None,
    notifications: ListNotifications | None = None,
    stripe_events: stripe_routes.EventOf | None = None,
) -> Litestar:
    """Create the ASGI application.

    ``checks`` are the readiness checks of ``/readyz`` by name; a check that raises is not ready. ``analytics`` adds the
    routes under ``/v1/analytics``. With ``trust_actor_header``, which is for development, programs of this machine
    identify themselves in ``X-Actor``. ``currency`` is the default currency of orders. A body larger than
    ``max_body_bytes`` is refused. ``/readyz`` responds with 503 once ``stopping`` returns True, and names the
    ``stopped_parts`` with the codes of their errors. ``tracing`` records a span for every request. ``instruments``
    count the requests. ``failed`` is called with each error that is responded to with 5xx. ``limits`` are fields of
    ``orderflow.entrypoints.http.caller_limits.CallerLimits`` that differ from its defaults. ``identity`` verifies the
    tokens of an OpenID provider; with it, ``X-Actor`` is not trusted. ``customers`` adds the routes under
    ``/v1/customers``, ``webhooks`` those under ``/v1/webhook-endpoints``, ``prices`` those under
    ``/v1/restaurants``, ``streams`` the live streams, ``notifications`` the route ``/v1/notifications``, ``board`` the
    pages for people at ``/``, and ``operations``, which are fields of
    ``orderflow.entrypoints.http.operations.Operations``, the routes for operators. ``stripe_events`` adds
    ``/v1/webhooks/stripe``: it verifies an event by its body and signature, and returns the order that it is about.
    Pages of ``cors_origins`` may call from a browser. Raises NotConfigured without the extra ``http``.
    """
    development = trust_actor_header and identity is None
    cookies = None if board is None else CookieSessions(board.sessions, tokens, development)
    authenticator = Authenticator(tokens, trust_actor_header, identity, cookies)
    callers = Callers(CallerLimits(**limits), instruments)
    closing = asyncio.Event()
    token_of = None if cookies is None else cookies.token_of
    tickets = None if streams is None else stream_tickets.Tickets(streams.tickets, tokens, token_of)

    async def authenticate(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if connection.scope["method"] == "OPTIONS":  # type: ignore[typeddict-item]
            return
        refuse_repeated_headers(connection)
        peer = connection.client.host if connection.client else ""
        try:
            ticket = connection.query_params.get("ticket") if handler.opt.get("ticket") else None
            if ticket is not None and tickets is not None:
                held, authorized = await tickets.accept(ticket)
                grant = held.grant
            else:
                grant = await authenticator(connection.headers, peer)
                authorized = partial(authenticator.still_grants, grant, connection.headers, peer)
        except Unauthenticated:
            await callers.admit(connection.scope, peer)
            raise
        connection.scope["user"] = grant.actor
        connection.scope[GRANT] = grant  # type: ignore[literal-required]
        connection.scope[AUTHORIZED] = authorized  # type: ignore[literal-required]
        await callers.admit(connection.scope, str(grant.actor), kind=handler.opt.get("kind", "requests"))
        method = connection.scope["method"]  # type: ignore[typeddict-item]
        check_scope(grant, handler.opt.get("scope") or (Scope.READ if method == "GET" else Scope.WRITE))

    def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        if problems.is_server_error(error):
            failed(error)
        return problems.problem_response(request, error)

    live = None if streams is None else stream.LiveStreams(streams, closing)
    orders = OwnRouter(
        "/v1",
        route_handlers=[
            writes.place_order,
            batch.place_orders,
            writes.change_state,
            writes.assign_shipper,
            writes.record_payment,
            writes.cancel_order,
            writes.refund_order,
            reads.get_order,
            reads.list_orders,
            reads.count_orders,
            exports.export_orders,
            reads.timeline,
            lifecycle.lifecycle,
            lifecycle.actions,
            *((stream.stream, stream.stream_orders, stream_tickets.make_ticket) if streams is not None else ()),
        ],
        guards=[authenticate, require_json, refuse_unsupported_conditions, refuse_unknown_parameters],
        dependencies={"call": Provide(provide_call, sync_to_thread=False), "tickets": provide(tickets)},
        response_headers=[CORRELATION],
        tags=["orders"],
    )
    documents = OwnRouter(PATH, route_handlers=[], include_in_schema=False, guards=[refuse_unknown_parameters])
    changing = [require_json, refuse_unsupported_conditions, refuse_idempotency_key, refuse_unknown_parameters]
    figures = None if analytics is None else analytics_routes.Figures(analytics)
    reading = [analytics_routes.admins_and_restaurants, refuse_unknown_parameters]
    operating = None if operations is None else operation_routes.Operations(**operations)
    notified = [notification_routes.list_notifications]
    routes = [
        orders,
        *_feature("analytics", [*analytics_routes.ROUTES, *exports.FIGURES], [authenticate, *reading], figures=figures),
        *_feature("notifications", notified, [authenticate, refuse_unknown_parameters], listing=notifications),
        *_feature(
            "customers",
            customer_routes.ROUTES,
            [authenticate, customer_routes.admins_only, *changing],
            opt=OPERATING,
            customers=None if customers is None else customer_routes.Customers(*customers),
        ),
        *_feature(
            "restaurants",
            price_routes.ROUTES,
            [authenticate, *changing],
            tag="prices",
            prices=None if prices is None else price_routes.Prices(prices, currency),
        ),
        *_feature(
            "webhook-endpoints",
            webhook_routes.ROUTES,
            [authenticate, webhook_routes.admins_only, *changing],
            tag="webhooks",
            opt=OPERATING,
            routes=None if webhooks is None else webhook_routes.WebhookRoutes(*webhooks),
        ),
        *_feature(
            "",
            [*operation_routes.ROUTES, *dead_letters.ROUTES],
            [authenticate, operation_routes.admins_only, *changing],
            tag="operations",
            opt=OPERATING,
            operations=operating,
        ),
        *stripe_routes.routers(stripe_events, use_cases, callers, [require_json, refuse_unknown_parameters]),
    ]
    if board is not None and cookies is not None:
        door = SessionDoor(board, authenticator, cookies, callers)
        routes += _board_routes(door, [authenticate, require_json, refuse_unknown_parameters])
    readiness = Checks(checks, stopping, stopped_parts)
    public: list[Any] = [livez, readyz, docs_router()]
    dependencies = {"checks": provide(readiness)}
    routes.append(
        OwnRouter(
            "/", route_handlers=public, dependencies=dependencies, guards=[refuse_unknown_parameters], security=[{}]
        )
    )
    app = InstrumentedApp(
        route_handlers=routes,
        exception_handlers={Exception: problem_response},
        guards=[refuse_other_spellings],
        openapi_config=openapi_config(documents, trust_actor_header=trust_actor_header),
        plugins=[CamelViews(), ExactNumbers()],
        request_max_body_size=max_body_bytes,
        logging_config=None,
        event_emitter_backend=NoEmitter,
        on_startup=[*([identity.start] if identity is not None else []), *on_startup],
        on_shutdown=[
            closing.set,
            callers.close,
            *([identity.close] if identity is not None else []),
            *([operating.close] if operating is not None else []),
            *on_shutdown,
        ],
        state=State({"closing": closing, "api": Api(use_cases, currency, closing, callers, failed, live)}),
        debug=False,
    )
    return _completed(app, tracing, instruments, cors_origins)


def _feature(
    path: str, handlers: Sequence[Any], guards: Sequence[Any], *, tag: str = "", opt: Options = None, **part: Any
) -> list[Router]:
    """Return the router below ``/v1`` of a feature whose handlers get ``part`` by its name; none if that is None.

    ``opt`` are options of each of its routes that has no other.
    """
    if None in part.values():
        return []
    dependencies = {name: provide(each) for name, each in part.items()}
    return [
        OwnRouter(
            f"/v1/{path}".rstrip("/"),
            route_handlers=handlers,
            guards=[*guards],
            dependencies=dependencies,
            response_headers=[CORRELATION],
            tags=[tag or path],
            opt=opt,
        )
    ]


def _board_routes(door: SessionDoor, guards: Sequence[Any]) -> list[Router]:
    """Return the routes of the board, and those of the day that is watched if there is one."""
    authenticate, *without_session = guards
    routes = [pages_router([refuse_unknown_parameters]), session_router(door, without_session)]
    if (day := door.board.day) is not None:
        from .board.day import day_router

        routes.append(day_router(day, [authenticate, *without_session]))
    return routes


def _completed(
    app: InstrumentedApp, tracing: Tracing | None, instruments: Instruments | None, cors_origins: Sequence[str]
) -> Litestar:
    """Return ``app`` with what answers around its routes."""
    note_query_parameters(app)
    app.tracing = tracing
    app.instruments = instruments
    app.direct = direct_routes(app)
    app.cors = Cors.of(cors_origins, {method for route in app.routes for method in route.methods})
    return app


class NoEmitter(BaseEventEmitterBackend):
    """An emitter without events, which are not used. Litestar's own one would wrap errors of start-up hooks."""

    def emit(self, event_id: str, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    async def __aexit__(self, *_: object) -> None:
        return


def closing_event(app: Litestar) -> asyncio.Event:
    """Return the event that is set when the server begins to stop, which ends live streams."""
    event: asyncio.Event = app.state.closing
    return event


def provide(value: object) -> Provide:
    """Provide ``value`` as a dependency."""

    async def get() -> Any:
        return value

    return Provide(get)
