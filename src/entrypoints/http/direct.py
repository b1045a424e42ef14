"""Calls the handlers that change or read one order directly, with the guards and limits of their routes.

Litestar's own way to a handler takes more than twice the processor time of its use-case: it copies the handler for each
guard, resolves dependencies that are functions of the request, and converts the response twice. The routes stay
Litestar's: their handlers, guards, options and error responses come from its tables, and a request that is not the
usual one (a query, no body, an unusual host) takes Litestar's way.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

from attrs import frozen
from litestar import Litestar, Request, Response
from litestar.datastructures import Headers
from litestar.handlers import HTTPRouteHandler

from . import writes
from .calls import provide_order_call
from .correlation import READ_HEADERS
from .read_body import read_body

Respond = Callable[[Request[Any, Any, Any], HTTPRouteHandler], Awaitable[Response[Any]]]

_USUAL_HOST = re.compile(rb"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_ORDER = 3
"""The part of the path that is the id of the order, in ``/v1/orders/{order_id}/state``."""


class _Request(Request[Any, Any, Any]):
    """A request whose headers are read already. Litestar's reads them for each use, a dozen times for a creation."""

    @property
    def headers(self) -> Headers:
        found: Headers = self.scope[READ_HEADERS]  # type: ignore[literal-required]
        return found


@frozen
class DirectRoute:
    """One route and its handler."""

    template: str
    handler: HTTPRouteHandler
    guards: tuple[Callable[[Any, Any], Awaitable[None]], ...]
    respond: Respond
    takes_body: bool


@frozen
class DirectRoutes:
    """The direct routes of ``app``, by method and path without the id of the order."""

    app: Litestar
    routes: Mapping[tuple[str, str], DirectRoute]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> bool:
        """Respond to the request if it is a usual one of these routes. Returns False if it is not."""
        path = scope["path"]
        parts = path.split("/")
        order_id = ""
        if len(parts) > _ORDER:
            order_id, parts[_ORDER] = parts[_ORDER], "*"
            path = "/".join(parts)
        route = self.routes.get((scope["method"], path))
        if route is None or (len(parts) > _ORDER and not order_id) or not _is_usual(scope, route.takes_body):
            return False
        scope["app"] = scope["litestar_app"] = self.app
        scope["route_handler"], scope["path_template"] = route.handler, route.template
        scope["path_params"] = {"order_id": order_id} if order_id else {}
        request = _Request(scope, receive, send)
        try:
            for guard in route.guards:
                await guard(request, route.handler)
            response = await route.respond(request, route.handler)
        except Exception as error:  # noqa: BLE001 - Litestar's handler of exceptions translates all of them
            handle: Any = self.app.exception_handlers[Exception]
            await handle(request, error).to_asgi_response(app=None, request=request)(scope, receive, send)
            return True
        await _send(response, send)
        return True


def direct_routes(app: Litestar) -> DirectRoutes:
    """Return the direct routes of ``app``, from its own routes."""
    responds: dict[str | None, Respond] = {"getOrder": _get_order}
    for handler in (
        writes.change_state,
        writes.assign_shipper,
        writes.record_payment,
        writes.cancel_order,
        writes.refund_order,
    ):
        responds[handler.operation_id] = partial(_change, kind=get_type_hints(handler.fn)["data"])  # type: ignore[index]
    responds["placeOrder"] = partial(_place, kind=get_type_hints(writes.place_order.fn)["data"])
    found = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if (respond := responds.get(getattr(handler, "operation_id", None))) is not None:
                for method in handler.http_methods:
                    found[method, route.path_format.replace("{order_id}", "*")] = DirectRoute(
                        route.path_format,
                        handler,
                        tuple(handler.resolve_guards()),
                        respond,
                        takes_body=respond is not _get_order,
                    )
    return DirectRoutes(app, found)


def _is_usual(scope: Any, takes_body: bool) -> bool:
    if scope["query_string"] or scope.get("root_path"):
        return False
    host, has_body = b"", False
    for name, value in scope["headers"]:
        if name == b"host":
            host = value
        elif name == b"content-length":
            has_body = value != b"0"
        elif name == b"transfer-encoding":
            return False
    return has_body is takes_body and _USUAL_HOST.fullmatch(host) is not None


async def _place(request: Request[Any, Any, Any], handler: HTTPRouteHandler, kind: type[Any]) -> Response[Any]:
    data = read_body(await request.body(), kind)
    write = await writes.provide_write(request, request.headers.get("idempotency-key"))
    response: Response[Any] = await handler.fn(data=data, write=write)
    return response


async def _change(request: Request[Any, Any, Any], handler: HTTPRouteHandler, kind: type[Any]) -> Response[Any]:
    data, headers = read_body(await request.body(), kind), request.headers
    order_id, key = request.path_params["order_id"], headers.get("idempotency-key")
    write = await writes.provide_change(request, order_id, headers.get("if-match"), key)
    response: Response[Any] = await handler.fn(data=data, write=write)
    return response


async def _get_order(request: Request[Any, Any, Any], handler: HTTPRouteHandler) -> Response[Any]:
    call = provide_order_call(request, request.path_params["order_id"])
    response: Response[Any] = await handler.fn(call=call, if_none_match=request.headers.get("if-none-match"))
    return response


async def _send(response: Response[Any], send: Any) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    body = response.content or b""
    if response.status_code != 304:
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": response.status_code or 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
