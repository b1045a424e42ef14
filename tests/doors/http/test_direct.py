"""The routes that are called directly respond as Litestar does."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from httpx import Response
from litestar import Litestar
from litestar.routes import HTTPRoute

from tests.support.door import CUSTOMER, FEATURES, Installation, an_order, calling, placed

CHANGING = {"date", "x-correlation-id", "traceparent", "ratelimit"}
JSON = {"content-type": "application/json"}
REQUESTS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "placed": ("POST", "/v1/orders", {"json": an_order(orderId="O2")}),
    "placed again": ("POST", "/v1/orders", {"json": an_order(orderId="O1")}),
    "placed under a key": ("POST", "/v1/orders", {"json": an_order(orderId="O3"), "headers": {"Idempotency-Key": "K"}}),
    "an invalid key": ("POST", "/v1/orders", {"json": an_order(), "headers": {"Idempotency-Key": 256 * "a"}}),
    "no JSON": ("POST", "/v1/orders", {"content": b"{", "headers": JSON}),
    "no order": ("POST", "/v1/orders", {"json": {}}),
    "no body": ("POST", "/v1/orders", {"headers": JSON}),
    "a body of another type": ("POST", "/v1/orders", {"content": b"{}", "headers": {"content-type": "text/plain"}}),
    "a compressed body": ("POST", "/v1/orders", {"json": {}, "headers": {"content-encoding": "gzip"}}),
    "too long": ("POST", "/v1/orders", {"content": b" " * 20_000, "headers": JSON}),
    "a condition on a creation": ("POST", "/v1/orders", {"json": an_order(), "headers": {"If-Match": "*"}}),
    "a parameter": ("POST", "/v1/orders?a=b", {"json": an_order()}),
    "a refused state": ("PATCH", "/v1/orders/O1/state", {"json": {"state": "delivered"}}),
    "an unknown state": ("PATCH", "/v1/orders/O1/state", {"json": {"state": "eaten"}}),
    "a stale state": ("PATCH", "/v1/orders/O1/state", {"json": {"state": "preparing"}, "headers": {"If-Match": '"9"'}}),
    "a change of no order": ("POST", "/v1/orders/O9/cancel", {"json": {"reason": "too late"}}),
    "a change of no identifier": ("POST", "/v1/orders/%20/cancel", {"json": {"reason": "too late"}}),
    "another method": ("DELETE", "/v1/orders/O1/cancel", {}),
    "an order": ("GET", "/v1/orders/O1", {}),
    "an order's methods": ("OPTIONS", "/v1/orders/O1", {}),
    "an order's head": ("HEAD", "/v1/orders/O1", {}),
    "an order that is known": ("GET", "/v1/orders/O1", {"headers": {"If-None-Match": '"1"'}}),
    "an order that is known otherwise": ("GET", "/v1/orders/O1", {"headers": {"If-Match": '"1"'}}),
    "no such order": ("GET", "/v1/orders/O9", {}),
    "an encoded id": ("GET", "/v1/orders/O%2F1", {}),
    "an order of another": ("GET", "/v1/orders/O1", {"headers": {"X-Actor": "customer:C9"}}),
    "an order without a caller": ("GET", "/v1/orders/O1", {"headers": {"X-Actor": "x"}}),
    "a past order": ("GET", "/v1/orders/O1?asOf=2030-01-01T00:00:00Z", {}),
    "the path of no order": ("GET", "/v1/orders/", {}),
    "orders": ("GET", "/v1/orders", {}),
    "a state": ("PATCH", "/v1/orders/O1/state", {"json": {"state": "preparing"}}),
    "a shipper": ("PUT", "/v1/orders/O1/shipper", {"json": {"shipperId": "S1"}}),
    "a payment": ("POST", "/v1/orders/O1/payment", {"json": {"paid": True}}),
    "a cancellation": ("POST", "/v1/orders/O1/cancel", {"json": {"reason": "too late"}}),
}
"""In this order, so that all but the last find O1 as it was placed."""


@pytest.fixture(scope="module")
def either_way() -> list[Litestar]:
    """Two applications, the second without direct routes, each with order O1."""
    apps = [Installation().app(max_body_bytes=10_000) for _ in range(2)]
    untyped: Any = apps[1]
    untyped.direct = None

    async def place() -> None:
        for app in apps:
            async with calling(app) as client:
                await placed(client)

    asyncio.run(place())
    return apps


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_response_is_the_same_either_way(either_way: list[Litestar], name: str) -> None:
    method, path, options = REQUESTS[name]
    responses = []

    for app in either_way:
        async with calling(app) as client:
            responses.append(await client.request(method, path, **options))

    assert shown(responses[0]) == shown(responses[1])


def shown(response: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in CHANGING]
    return response.status_code, sorted(headers), response.content


async def test_every_route_of_one_order_but_its_lists_is_direct() -> None:
    app: Any = Installation().app(features=FEATURES)

    operations = {
        handler.operation_id
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/v1/orders")
        for handler in route.route_handlers
    } - {None}

    assert operations - {route.handler.operation_id for route in app.direct.routes.values()} <= {
        "listOrders",
        "countOrders",
        "exportOrders",
        "orderActions",
        "traceOrder",
        "placeOrders",
        "timeline",
        "stream",
        "streamOrder",
    }


async def test_metrics_and_log_lines_have_the_route(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "orderflow.http"):
        async with calling(Installation().app(), CUSTOMER) as client:
            await client.get("/v1/orders/O9")

    of_requests = [record for record in caplog.records if record.name == "orderflow.http"]
    lines = [line for record in of_requests for line in getattr(record, "each_line", [])]
    assert [(line["route"], line["status"], line["order_id"]) for line in lines] == [
        ("/v1/orders/{order_id}", 404, "O9")
    ]
