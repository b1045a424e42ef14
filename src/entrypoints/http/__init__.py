"""The HTTP API: orders under ``/v1``. It requires the extra ``orderflow-service[http]``."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from ...application.orders.use_cases import UseCases
from ...domain.errors import NotConfigured
from .auth import new_token

if TYPE_CHECKING:
    import socket

    from litestar import Litestar

    from ...adapters.server_certificate import CertificateFiles
    from ...adapters.telemetry import Instruments, Scrape
    from ...adapters.telemetry.tracing.tracing import Tracing
    from ...application.analytics.ports import AnalyticsQueries
    from ...application.auth import IdentityTokens
    from ...application.customers.erase_customer import EraseCustomer
    from ...application.customers.export_customer import ExportCustomer
    from ...application.notifications.list_notifications import ListNotifications
    from ...application.orders.payment_attempts import GatewayEvent
    from ...application.prices.use_cases import PriceUseCases
    from ...application.streams.use_cases import StreamUseCases
    from ...application.webhooks.change_endpoints import ChangeEndpoints
    from ...application.webhooks.ports import Webhooks
    from ...application.webhooks.resend import ResendDeliveries, SendTest
    from ..shutdown import Stopping
    from .auth import KnownTokens
    from .board import Board

__all__ = ["create_app", "create_ops_app", "listeners", "new_token", "serve"]

MAX_BODY_BYTES = 1_000_000
_EXTRA = ("litestar", "uvicorn", "httptools", "offapi", "limits")


def create_app(
    use_cases: UseCases,
    *,
    tokens: "KnownTokens",
    checks: Mapping[str, Callable[[], Awaitable[None]]],
    trust_actor_header: bool,
    analytics: "AnalyticsQueries | None" = None,
    currency: str = "USD",
    max_body_bytes: int = MAX_BODY_BYTES,
    on_startup: Sequence[Callable[[], Awaitable[None]]] = (),
    on_shutdown: Sequence[Callable[[], Awaitable[None]]] = (),
    stopping: Callable[[], bool] = lambda: False,
    stopped_parts: Callable[[], Mapping[str, str]] = dict,
    tracing: "Tracing | None" = None,
    instruments: "Instruments | None" = None,
    failed: Callable[[Exception], None] = lambda error: None,
    limits: Mapping[str, Any] = MappingProxyType({}),
    identity: "IdentityTokens | None" = None,
    customers: "tuple[EraseCustomer, ExportCustomer] | None" = None,
    webhooks: "tuple[Webhooks, ChangeEndpoints, ResendDeliveries, SendTest] | None" = None,
    cors_origins: Sequence[str] = (),
    board: "Board | None" = None,
    operations: Mapping[str, Any] | None = None,
    prices: "PriceUseCases | None" = None,
    streams: "StreamUseCases | None" = None,
    notifications: "ListNotifications | None" = None,
    stripe_events: "Callable[[bytes, str], GatewayEvent | None] | None" = None,
) -> "Litestar":
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
    app, caller_limits = _with_extra(".app"), _with_extra(".caller_limits")
    built: Litestar = app.build(
        use_cases,
        tokens=tokens,
        checks=checks,
        analytics=analytics,
        trust_actor_header=trust_actor_header,
        currency=currency,
        max_body_bytes=max_body_bytes,
        on_startup=on_startup,
        on_shutdown=on_shutdown,
        stopping=stopping,
        stopped_parts=stopped_parts,
        tracing=tracing,
        instruments=instruments,
        failed=failed,
        limits=caller_limits.CallerLimits(**limits),
        identity=identity,
        customers=None if customers is None else _with_extra(".customers").Customers(*customers),
        webhooks=None if webhooks is None else _with_extra(".webhooks").WebhookRoutes(*webhooks),
        cors_origins=cors_origins,
        board=board,
        operations=None if operations is None else _with_extra(".operations").Operations(**operations),
        prices=None if prices is None else _with_extra(".prices").Prices(prices, currency),
        streams=streams,
        notifications=None
        if notifications is None
        else _with_extra(".notifications").NotificationRoutes(notifications),
        stripe_events=stripe_events,
    )
    return built


def create_ops_app(
    checks: Mapping[str, Callable[[], Awaitable[None]]],
    scrape: "Scrape",
    stopping: Callable[[], bool] = lambda: False,
    stopped_parts: Callable[[], Mapping[str, str]] = dict,
    blocked: Callable[[], float] = lambda: 0.0,
) -> "Litestar":
    """Create an ASGI application with only ``/livez``, ``/readyz`` and ``/metrics``, for processes of every kind.

    ``blocked`` returns the seconds for which the process's own event loop has been blocked, if the application runs on
    another one. The other arguments and errors are as for ``create_app``.
    """
    built: Litestar = _with_extra(".ops_app").build(checks, scrape, stopping, stopped_parts, blocked)
    return built


async def serve(
    app: "Litestar",
    *,
    host: str,
    port: int,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[str, int], None] | None = None,
    grace_seconds: int | None = 10,
    stopping: "Stopping | None" = None,
    setting: str = "ORDERFLOW_HTTP_PORT",
    limits: Mapping[str, float] = MappingProxyType({}),
    listener: "socket.socket | None" = None,
    tls: "CertificateFiles | None" = None,
) -> None:
    """Serve requests on ``host`` and ``port`` (0 for any free one) until ``stop`` is set or this task is cancelled.

    With a ``listener``, which is one of ``listeners``, they are served on that socket.

    ``on_ready`` is called with the host and the port once requests are served. At the end, live streams are closed and
    requests in progress have ``grace_seconds`` to finish (None for no limit). As soon as ``stopping`` has begun, each
    response closes its connection, so that the client's next request goes to another process; ``stopping`` is given
    the requests in progress. ``limits`` are fields of ``orderflow.entrypoints.http.connections.ConnectionLimits`` that
    differ from its defaults. With ``tls``, connections are encrypted, and new files are used without a restart. Signals
    are left to the caller. Raises NotConfigured if the extra ``http`` is missing, or if the address is not available,
    with the ``setting`` that determines it; InvalidInput for a certificate that cannot be used.
    """
    server, connections = _with_extra(".server"), _with_extra(".connections")
    await server.serve(
        app,
        host=host,
        port=port,
        stop=stop,
        on_ready=on_ready,
        grace_seconds=grace_seconds,
        stopping=stopping,
        setting=setting,
        limits=connections.ConnectionLimits(**limits),
        listener=listener,
        tls=tls,
    )


def listeners(host: str, port: int, *, number: int, setting: str = "ORDERFLOW_HTTP_PORT") -> "list[socket.socket]":
    """Return ``number`` sockets that listen on one port, one for each process. Errors are as for ``serve``."""
    made: list[socket.socket] = _with_extra(".server").listeners(host, port, setting, number)
    return made


def _with_extra(module: str) -> ModuleType:
    try:
        return import_module(module, __name__)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.partition(".")[0] not in _EXTRA:
            raise
        raise NotConfigured(f"the HTTP API needs {e.name}", "pip install 'orderflow-service[http]'") from e
