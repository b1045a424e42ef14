"""Every error response is a problem document with the problem, its location, and what is allowed."""

import json
import logging
import pkgutil
from importlib import import_module
from typing import Any

import orderflow
import pytest
import structlog
from httpx import AsyncClient, Response
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.telemetry.logs.formatter import LineFormatter
from orderflow.domain.errors import CorruptHistory, OrderFlowError, StorageUnavailable, UndecodableEvent
from orderflow.entrypoints.http.errors import STATUS, status_of, title_of

from tests.support.door import BOSS, CUSTOMER, RESTAURANT, Installation, an_order, calling, placed


def every_error(root: type[OrderFlowError] = OrderFlowError) -> list[type[OrderFlowError]]:
    for module in pkgutil.walk_packages(orderflow.__path__, "orderflow."):
        if ".domain." in module.name or ".application." in module.name:
            import_module(module.name)
    return [root, *(error for kind in root.__subclasses__() for error in every_error(kind))]


def problem(answer: Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem document of ``answer`` after checking what all of them have in common."""
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (answer.status_code, document["status"], document["code"]) == (status, status, code), document
    assert document["type"] == f"urn:orderflow:problem:{code}"
    assert document["title"] == title_of(status)
    assert document["detail"]
    assert document["instance"].startswith("/")
    return document


def test_every_error_of_the_tree_has_a_status_through_the_table() -> None:
    errors = every_error()

    missing = [error.__name__ for error in errors[1:] if not any(kind in STATUS for kind in error.__mro__)]

    assert len(errors) > 20
    assert missing == []


def test_an_undecodable_event_is_a_server_error() -> None:
    assert status_of(UndecodableEvent) == 500


@pytest.mark.parametrize(
    ("status", "title"), [(404, "Not Found"), (413, "Content Too Large"), (422, "Unprocessable Content")]
)
def test_the_title_is_the_reason_phrase_of_rfc_9110(status: int, title: str) -> None:
    assert title_of(status) == title


LINE = {"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 2}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (an_order(userId=7), "/userId"),
        (an_order(userId="two words"), "/userId"),
        (an_order(userId=None), "/userId"),
        (an_order(orderId=""), "/orderId"),
        (an_order(orderDetails=[]), "/orderDetails"),
        (an_order(orderDetails=[{**LINE, "price": -1}]), "/orderDetails/0/price"),
        (an_order(orderDetails=[{**LINE, "price": "12.50"}]), "/orderDetails/0/price"),
        (an_order(orderDetails=[{**LINE, "price": True}]), "/orderDetails/0/price"),
        (an_order(orderDetails=[{**LINE, "price": 1.00001}]), "/orderDetails/0/price"),
        (an_order(orderDetails=[LINE, {**LINE, "quantity": 1.5}]), "/orderDetails/1/quantity"),
        (an_order(orderDetails=[LINE, {**LINE, "quantity": 1000}]), "/orderDetails/1/quantity"),
        (an_order(orderDetails=[{**LINE, "discount": 26}]), "/orderDetails/0/discount"),
        (an_order(orderDetails=[{"foodId": "F1", "foodName": "Pizza", "price": 1}]), "/orderDetails/0/quantity"),
        (an_order(orderDetails=[{**LINE, "qty": 2}]), "/orderDetails/0/qty"),
        (an_order(totalPrice=24.99), "/totalPrice"),
        (an_order(totalprice=28), "/totalprice"),
        (an_order(**{"a/b~c": 1}), "/a~1b~0c"),
        (an_order(currency="dollars"), "/currency"),
        (an_order(currency="ZZZ"), "/currency"),
        (an_order(paymentMethod="shells"), "/paymentMethod"),
        (an_order(paymentMethod="card"), "/cardToken"),
        (an_order(cardToken="tok_success"), "/cardToken"),
        (an_order(address={"street": "Main Street 1"}), "/address/city"),
        (an_order(address={"street": "Main Street 1", "city": "S", "zip": "1"}), "/address/zip"),
        ([], ""),
    ],
)
async def test_the_error_of_an_invalid_body_has_a_pointer(visitor: AsyncClient, body: object, pointer: str) -> None:
    answer = await visitor.post("/v1/orders", json=body)

    (error,) = problem(answer, 400, "invalid_input")["errors"]
    assert error["pointer"] == pointer
    assert error["problem"]
    assert error["allowed"]


async def test_the_error_of_an_unknown_field_lists_the_known_ones(boss: AsyncClient) -> None:
    answer = await boss.post("/v1/orders", json=an_order(orderDetails=[{**LINE, "qty": 2}]))

    (error,) = answer.json()["errors"]
    assert error["allowed"] == "the fields foodId, foodName, price, quantity, discount"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b'{"userId": NaN}',
        b'{"userId":' + b"[" * 5000,
        b'{"totalPrice": 1e99999999999999999999}',
        b"null",
    ],
)
async def test_a_body_that_is_not_a_json_object_is_refused(visitor: AsyncClient, content: bytes) -> None:
    answer = await visitor.post("/v1/orders", content=content, headers={"Content-Type": "application/json"})

    problem(answer, 400, "invalid_input")


async def test_a_missing_body_is_refused(boss: AsyncClient) -> None:
    answer = await boss.post("/v1/orders")

    (error,) = problem(answer, 400, "invalid_input")["errors"]
    assert error == {"pointer": "", "problem": "there is no body", "allowed": "a JSON object"}


async def test_a_long_value_is_truncated(boss: AsyncClient) -> None:
    answer = await boss.post("/v1/orders", json=an_order(**{"x" * 100_000: 1}))

    assert len(answer.content) < 2_000


async def test_a_refused_command_has_its_guard_and_what_would_fulfil_it(boss: AsyncClient) -> None:
    await placed(boss)
    await boss.patch("/v1/orders/O1/state", json={"state": "preparing"})

    answer = await boss.patch("/v1/orders/O1/state", json={"state": "on_the_way"})

    refusal = problem(answer, 409, "guard_failed")
    assert {name: refusal[name] for name in ("action", "state", "allowed", "guard", "unlock")} == {
        "action": "on_the_way",
        "state": "preparing",
        "allowed": ["on_the_way", "cancelled"],
        "guard": "no shipper is assigned",
        "unlock": "assign a shipper first, or give a shipper in the same request",
    }


@pytest.mark.parametrize(
    ("actor", "method", "path", "body", "status", "code"),
    [
        (CUSTOMER, "POST", "O1/cancel", {"reason": ""}, 409, "guard_failed"),
        (CUSTOMER, "GET", "O2", None, 404, "order_not_found"),
        (CUSTOMER, "GET", "two%20words", None, 404, "order_not_found"),
        (CUSTOMER, "GET", "%00", None, 404, "order_not_found"),
        (RESTAURANT, "PATCH", "O1/state", {"state": "cooked"}, 400, "invalid_input"),
        (RESTAURANT, "PUT", "O1/shipper", {"shipperId": ""}, 400, "invalid_input"),
        (RESTAURANT, "PUT", "O1/shipper", {}, 400, "invalid_input"),
        (RESTAURANT, "POST", "O1/payment", {"paid": "yes"}, 400, "invalid_input"),
        (RESTAURANT, "POST", "O1/cancel", {}, 400, "invalid_input"),
    ],
)
async def test_each_route_refuses_with_its_own_code(
    visitor: AsyncClient, actor: str, method: str, path: str, body: object, status: int, code: str
) -> None:
    await placed(visitor)

    answer = await visitor.request(method, f"/v1/orders/{path}", json=body, headers={"X-Actor": actor})

    problem(answer, status, code)


async def test_an_unknown_path_is_a_problem_document(boss: AsyncClient) -> None:
    answers = [await boss.get(path) for path in ("/nowhere", "/v1", "/v1/orders/O1/nowhere", "/openapi.yaml")]

    for answer in answers:
        problem(answer, 404, "not_found")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
async def test_a_body_of_another_media_type_is_refused(visitor: AsyncClient, media_type: str) -> None:
    answer = await visitor.post("/v1/orders", content=json.dumps(an_order()), headers={"Content-Type": media_type})

    problem(answer, 415, "unsupported_media_type")


async def test_a_body_is_refused_by_its_content_length(installation: Installation) -> None:
    async with calling(installation.app(max_body_bytes=1000)) as client:
        answer = await client.post("/v1/orders", json=an_order(address={"street": "x" * 1000, "city": "y"}))

    assert problem(answer, 413, "body_too_large")["detail"] == "a body may have at most 1000 bytes"


async def test_an_event_that_would_be_too_large_is_refused_with_its_size_and_the_limit() -> None:
    lines = [{**LINE, "foodId": f"F{n}"} for n in range(30)]

    limited = Installation(storage=MemoryStorage(event_limit=1_000))
    async with calling(limited.app()) as client:
        answer = await client.post("/v1/orders", json=an_order(orderDetails=lines))

    assert "an event has at most 1000" in problem(answer, 413, "event_too_large")["detail"]
    assert await limited.storage.log.heads() == {}


async def test_a_body_without_a_length_is_refused_at_the_limit(installation: Installation) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 100

    async with calling(installation.app(max_body_bytes=1000)) as client:
        answer = await client.post("/v1/orders", content=endless(), headers={"Content-Type": "application/json"})

    problem(answer, 413, "body_too_large")


async def test_unavailable_storage_is_503_without_its_address(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: object) -> None:
        raise StorageUnavailable("database", "connection to db.internal:5432 refused")

    monkeypatch.setattr("orderflow.adapters.memory.orders.MemoryOrderQueries.get_all", unavailable)
    async with calling(installation.app()) as client:
        answer = await client.get("/v1/orders/O1")

    assert "internal" not in problem(answer, 503, "storage_unavailable")["detail"]
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("the secret is 42"), "internal_error"),
        (CorruptHistory("O1", 3, "the secret is 42"), "corrupt_history"),
        (UndecodableEvent("data", "the secret is 42", "nothing"), "undecodable_event"),
    ],
)
async def test_the_details_of_a_server_error_are_only_logged(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: str,
) -> None:
    structlog.reset_defaults()  # as in an application that embeds the API and does not use structlog

    async def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("orderflow.adapters.memory.orders.MemoryOrderQueries.get_all", broken)
    monkeypatch.setattr(caplog.handler, "formatter", LineFormatter())
    async with calling(installation.app()) as client:
        answer = await client.get("/v1/orders/O1", headers={"X-Correlation-ID": "K1"})

    assert "K1" in problem(answer, 500, code)["detail"]
    assert "42" not in answer.text
    [line] = [line for line in map(json.loads, caplog.text.splitlines()) if line["level"] == "error"]
    assert (line["event"], line["correlation_id"]) == ("a request failed", "K1")
    assert "the secret is 42" in line["exception"]
    assert capsys.readouterr().out == ""


async def test_a_client_that_disconnects_during_a_request_is_not_a_server_error(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = []
    app = installation.app(failed=failures.append)
    headers = {"host": "localhost", "x-actor": BOSS, "content-type": "application/json", "content-length": "500"}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/orders",
        "raw_path": b"/v1/orders",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
    }
    parts = iter([{"type": "http.request", "body": b'{"userId"', "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)

    assert sent[0]["status"] == 400
    assert failures == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
