"""The ASGI application: who may call, what may come in, and the routes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from litestar import Litestar, Request, Response, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.events import BaseEventEmitterBackend
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from ...adapters.telemetry import Scrape
from ...adapters.telemetry.tracing.tracing import Tracing
from ...application.analytics.ports import AnalyticsQueries
from ...application.auth import Tokens
from ...application.orders.use_cases import UseCases
from ...domain.actor import Actor
from ...domain.errors import InvalidInput, OrderNotFound
from ...domain.text import identifier
from . import analytics as figures
from . import problems, reads, stream, writes
from .auth import Callers
from .docs_page import docs_router
from .health import Checks, livez, readyz
from .metrics import InstrumentedApp, MetricsPage, metrics
from .openapi import CamelViews, ExactNumbers, openapi_config

Hook = Callable[[], Awaitable[None]]


def build(
    use_cases: UseCases,
    *,
    tokens: Tokens,
    checks: Mapping[str, Hook],
    analytics: AnalyticsQueries | None,
    trust_actor_header: bool,
    currency: str,
    max_body_bytes: int,
    on_startup: Sequence[Hook],
    on_shutdown: Sequence[Hook],
    failed: Callable[[Exception], None],
    stopping: Callable[[], bool],
    tracing: Tracing | None,
    scrape: Scrape | None,
) -> Litestar:
    """What ``orderflow.entrypoints.http.create_app`` promises."""
    callers = Callers(tokens, trust_actor_header)
    end = asyncio.Event()

    async def known(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        connection.scope["user"] = await callers(connection.headers)

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        if problems.not_the_callers(error):
            failed(error)
        return problems.answer(request, error)

    orders = Router(
        "/v1",
        route_handlers=[
            writes.place_order,
            writes.change_state,
            writes.assign_shipper,
            writes.record_payment,
            writes.cancel_order,
            reads.get_order,
            reads.list_orders,
            reads.timeline,
            stream.stream,
        ],
        guards=[known, understood],
        dependencies={
            "by": Provide(_caller, sync_to_thread=False),
            "order": Provide(_order, sync_to_thread=False),
            "use_cases": given(use_cases),
            "house": given(writes.OrderDefaults(currency)),
            "following": given(stream.OrderStream(use_cases, end)),
        },
        tags=["orders"],
    )
    routes = [orders]
    if analytics is not None:
        routes.append(
            Router(
                "/v1/analytics",
                route_handlers=figures.ROUTES,
                guards=[known, figures.admins_only, understood],
                dependencies={"figures": given(figures.Figures(analytics))},
                tags=["analytics"],
            )
        )
    health = Router(
        "/", route_handlers=[livez, readyz], dependencies={"checks": given(Checks(checks, stopping))}, security=[{}]
    )
    if scrape is not None:
        routes.append(Router("/", route_handlers=[metrics], dependencies={"reading": given(MetricsPage(scrape))}))
    app = InstrumentedApp(
        route_handlers=[*routes, health, docs_router()],
        exception_handlers={Exception: answer},
        openapi_config=openapi_config(trust_actor_header=trust_actor_header),
        plugins=[CamelViews(), ExactNumbers()],
        request_max_body_size=max_body_bytes,
        logging_config=None,
        event_emitter_backend=NoEmitter,
        on_startup=list(on_startup),
        on_shutdown=[end.set, *on_shutdown],
        state=State({"closing": end}),
        debug=False,
    )
    app.tracing = tracing
    app.instruments = scrape.instruments if scrape is not None else None
    return app


class NoEmitter(BaseEventEmitterBackend):
    """Litestar's own events are not used here; its emitter would wrap what a start-up hook raises."""

    def emit(self, event_id: str, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    async def __aexit__(self, *_: object) -> None:
        return


def closing(app: Litestar) -> asyncio.Event:
    """Set when the server begins to stop: live streams end, so that it can."""
    event: asyncio.Event = app.state.closing
    return event


async def understood(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A body is JSON, and a question has no parameters that would be passed over in silence."""
    headers = connection.headers
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if connection.scope["method"] != "GET" and has_body and media_type != "application/json":  # type: ignore[typeddict-item]
        raise HTTPException(detail=f"the body is {media_type or 'of no type'}, not application/json", status_code=415)
    known = handler.opt.get("query", set())
    for name in connection.query_params:
        if name not in known:
            raise InvalidInput(name, "there is no such parameter", ", ".join(sorted(known)) or "none")


def _caller(request: Request[Actor, Any, Any]) -> Actor:
    return request.user


def _order(order_id: FromPath[str]) -> str:
    """The order's id as it was before it became part of a path. What can be no identifier names no order."""
    asked = unquote(order_id)
    try:
        return identifier(asked, field="orderId")
    except InvalidInput as e:
        raise OrderNotFound(asked[:80]) from e


def given(thing: object) -> Provide:
    """``thing`` itself, for whoever depends on it."""

    async def give() -> Any:
        return thing

    return Provide(give)
