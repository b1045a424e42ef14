"""Every write and every refusal of the API has one audit line, with caller and origin and without personal data."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from attrs import fields_dict
from httpx import AsyncClient
from litestar import Litestar
from orderflow import OrderFlow
from orderflow.adapters.telemetry.instrumented import InstrumentedCommand
from orderflow.application.auth import Scope
from orderflow.application.log_lines import EACH
from orderflow.application.orders.use_cases import UseCases
from orderflow.domain.actor import Actor
from orderflow.domain.errors import OrderFlowError
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.embedded import SYSTEM
from orderflow.entrypoints.http import create_app, log_limit
from orderflow.entrypoints.settings import Settings
from orderflow.testing.orders import line

from tests.support.door import BOSS, CUSTOMER, FEATURES, RESTAURANT, SHIPPER, Installation, an_order, calling, placed

PLANTED = {"street": "Planted Street 1", "city": "Plantedville", "note": "planted"}
Line = Mapping[str, Any]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[Line]]:
    """The audit lines so far."""
    found: list[Line] = []

    class AuditHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.extend(getattr(record, EACH))

    audit, keep = logging.getLogger("orderflow.audit"), AuditHandler()
    caplog.set_level(logging.INFO, "orderflow.audit")
    audit.addHandler(keep)
    yield found
    audit.removeHandler(keep)


@pytest.fixture
def app(installation: Installation) -> Litestar:
    return installation.app(features=FEATURES)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[AsyncClient]:
    async with calling(app) as calls:
        del calls.headers["X-Actor"]
        yield calls


async def _as(installation: Installation, actor: str, **limits: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {await installation.token(actor, **limits)}"}


def summary(line: Line) -> tuple[Any, ...]:
    return tuple(line.get(name, "") for name in ("actor", "label", "action", "outcome", "order_id"))


async def test_a_line_names_order_and_customer_however_the_path_spells_them(
    installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    boss = await _as(installation, BOSS)
    await client.post("/v1/orders", json=an_order(orderId="a/1"), headers=boss)

    await client.post("/v1/orders/a%2F1/cancel", json={"reason": "too late"}, headers=boss)
    await client.post("/v1/customers/%43%31/erase", json={"reason": "asked for"}, headers=boss)

    assert [(line["action"], line["outcome"], line.get("order_id") or line["subject"]) for line in lines[1:]] == [
        ("POST /v1/orders/{order_id}/cancel", "ok", "a/1"),
        ("POST /v1/customers/{customer_id}/erase", "ok", "customer:C1"),
    ]


async def test_a_write_says_who_by_which_token_from_where_what_and_how_it_ended(
    installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    headers = await _as(installation, CUSTOMER)

    answer = await client.post("/v1/orders", json=an_order(orderId="O1", address=PLANTED), headers=headers)
    await client.post("/v1/orders/O1/cancel", json={"reason": "planted reason"}, headers=headers)
    await client.get("/v1/orders/O1", headers=headers)

    assert [summary(line) for line in lines] == [
        (CUSTOMER, "test", "POST /v1/orders", "ok", "O1"),
        (CUSTOMER, "test", "POST /v1/orders/{order_id}/cancel", "ok", "O1"),
    ]
    assert {(line["door"], line["origin"]) for line in lines} == {("http", "127.0.0.1")}
    assert lines[0]["correlation_id"] == answer.headers["x-correlation-id"]
    assert "lanted" not in repr(lines)


async def test_every_refusal_has_a_line_with_its_code(
    app: Litestar, installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    async with calling(app) as boss:
        await placed(boss)
    restaurant, reading = await _as(installation, RESTAURANT), await _as(installation, BOSS, scopes={Scope.READ})
    shipper = await _as(installation, SHIPPER)
    lines.clear()

    await client.get("/v1/orders/O1", headers=shipper)
    await client.patch("/v1/orders/O1/state", json={"state": "delivered"}, headers=restaurant)
    await client.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers=reading)
    await client.post("/v1/orders", json={"userId": "planted person"}, headers=restaurant)
    await client.get("/v1/analytics/states", headers=shipper)
    await client.get("/v1/orders", headers={"Authorization": "Bearer of_planted"})
    await client.get("/v1/planted@example.org", headers=restaurant)

    state = "PATCH /v1/orders/{order_id}/state"
    assert [summary(line) for line in lines] == [
        (SHIPPER, "test", "GET /v1/orders/{order_id}", "order_not_found", "O1"),
        (RESTAURANT, "test", state, "illegal_transition", "O1"),
        (BOSS, "test", state, "insufficient_scope", "O1"),
        (RESTAURANT, "test", "POST /v1/orders", "invalid_input", ""),
        (SHIPPER, "test", "GET /v1/analytics/states", "not_permitted", ""),
        ("", "", "GET /v1/orders", "unauthenticated", ""),
        ("", "", "GET", "not_found", ""),
    ]
    assert "planted" not in repr(lines)


async def test_who_read_or_erased_what_is_kept_of_a_customer_is_said(
    installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    headers = await _as(installation, BOSS)

    await client.get("/v1/customers/C1/export", headers=headers)
    await client.post("/v1/customers/C1/erase", json={"reason": "planted"}, headers=headers)

    assert [(line["actor"], line["subject"], line["outcome"]) for line in lines] == [(BOSS, "customer:C1", "ok")] * 2


async def test_what_operators_change_is_said(
    installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    headers = await _as(installation, BOSS)

    await client.post("/v1/operations/consumers/inventory/pause", json={"reason": "planted"}, headers=headers)
    for action in ("redrive", "drop"):
        body = {"consumer": "inventory", "orderId": "O1", "reason": "planted"}
        await client.post(f"/v1/operations/dead-letters/{action}", json=body, headers=headers)
    await client.post("/v1/webhook-endpoints/E1/resend", json={"orderId": "O1", "reason": "planted"}, headers=headers)
    await client.put("/v1/restaurants/R7/prices/F1", json={"name": "planted", "price": 1}, headers=headers)

    assert [(line["subject"], line.get("order_id", "")) for line in lines] == [
        ("consumer:inventory", ""),
        *(("consumer:inventory", "O1"),) * 2,
        ("endpoint:E1", "O1"),
        ("restaurant:R7", ""),
    ]
    assert "planted" not in repr(lines)


async def test_refusals_of_anonymous_callers_do_not_fill_the_log_and_those_of_known_callers_are_all_there(
    installation: Installation, client: AsyncClient, lines: list[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_limit, "LINES", 10)
    headers = await _as(installation, CUSTOMER)

    for _ in range(30):
        await client.get("/v1/orders")
        await client.get("/v1/orders/none", headers=headers)

    assert sum(line["outcome"] == "unauthenticated" for line in lines) == 10
    assert sum(line["outcome"] == "order_not_found" for line in lines) == 30


async def test_a_command_over_http_has_one_line_although_its_use_case_is_audited_elsewhere(lines: list[Line]) -> None:
    container = container_for(Settings(database_url="memory://"))
    app = create_app(container.use_cases(), tokens=container.tokens(), checks={}, trust_actor_header=True)

    async with calling(app) as boss:
        await placed(boss)

    assert [(line["door"], line["action"]) for line in lines] == [("http", "POST /v1/orders")]


async def test_each_order_of_a_batch_has_a_line_of_its_own(
    installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    headers = await _as(installation, CUSTOMER)
    orders = [an_order(orderId="O1"), an_order(orderId="O2", userId="C2"), an_order(orderId="O3")]

    await client.post("/v1/orders:batch", json=orders, headers=headers)

    assert [summary(line) for line in lines] == [
        (CUSTOMER, "test", "create_order", "ok", "O1"),
        (CUSTOMER, "test", "create_order", "not_permitted", ""),
        (CUSTOMER, "test", "create_order", "ok", "O3"),
        (CUSTOMER, "test", "POST /v1/orders:batch", "ok", ""),
    ]


def routes(app: Litestar) -> list[tuple[str, str]]:
    """Every method and path of the API that may be audited."""
    found = {(method, route.path_format) for route in app.routes for method in route.methods if method != "OPTIONS"}
    return sorted(pair for pair in found if pair[1].startswith("/v1/"))


ROUTES = routes(Installation().app(features=FEATURES))
READS_OF_PERSONS = ("/v1/customers/", "/v1/orders.csv")
"""Reading all that is kept of a customer, or of many orders, has a line, too."""


async def _asked(client: AsyncClient, method: str, path: str, headers: dict[str, str]) -> int:
    body = {"json": [] if path.endswith("batch") else {"planted@example.org": "planted"}} if method != "GET" else {}
    async with client.stream(method, path, headers=headers, **body) as answer:
        return answer.status_code


@pytest.fixture(scope="module")
def shared() -> tuple[Installation, Litestar]:
    """An installation for all routes, whose limits one caller of all of them does not reach."""
    installation = Installation()
    return installation, installation.app(features=FEATURES, limits={"requests_per_second": 100_000})


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_has_one_line_for_a_write_or_a_refusal_and_none_for_a_read(
    shared: tuple[Installation, Litestar],
    lines: list[Line],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
) -> None:
    monkeypatch.setattr(log_limit, "LINES", 100_000)
    installation, app = shared
    order_id = f"O{ROUTES.index((method, path))}"
    asked = path.replace("{order_id}", order_id).replace("{customer_id}", "C1")
    async with calling(app) as boss:
        await placed(boss, order_id, address=PLANTED)
        await boss.post(f"/v1/orders/{order_id}/cancel", json={"reason": "planted reason"})  # so that its stream ends
    stranger, boss_ = await _as(installation, "customer:C9"), await _as(installation, BOSS)
    forwarded = {"X-Forwarded-For": "planted", "User-Agent": "planted", "Referer": "https://planted.example.com"}
    endless = method == "GET" and path.endswith("/stream") and "{order_id}" not in path
    for headers in ({}, {"Authorization": "Bearer of_planted"}, *(() if endless else (stranger, boss_))):
        lines.clear()

        async with calling(app) as client:
            del client.headers["X-Actor"]
            status = await _asked(client, method, asked, {**headers, **forwarded})

        expected = int(status >= 400 or method != "GET" or path.startswith(READS_OF_PERSONS))
        assert len(lines) == expected, (status, lines)
        if lines:
            assert (lines[0]["action"], lines[0]["origin"]) == (f"{method} {path}", "127.0.0.1")
            assert (lines[0]["outcome"] == "ok") == (status < 400)
            known = {None: "", "C9": "customer:C9", "boss": BOSS}
            actor = "C9" if headers is stranger else "boss" if headers is boss_ else None
            assert lines[0]["actor"] == known[actor]
        assert "planted" not in repr(lines).lower()


async def test_each_command_of_an_embedding_application_has_one_line(lines: list[Line]) -> None:
    async with OrderFlow.in_memory(consumers=[]) as flow:
        ask: dict[str, Callable[[Actor], Awaitable[Any]]] = {
            "create_order": lambda by: flow.create_order(
                customer_id="C1",
                restaurant_id="R7",
                lines=[line(food_id="planted")],
                order_id="O1",
                currency="EUR",
                by=by,
            ),
            "assign_shipper": lambda by: flow.assign_shipper("O1", "S1", by=by),
            "transition_order_state": lambda by: flow.transition_order_state("O1", "on_the_way", by=by),
            "record_payment": lambda by: flow.record_payment("O1", paid=True, by=by),
            "refund_order": lambda by: flow.refund_order("O1", "planted reason", borne_by="restaurant", by=by),
            "cancel_order": lambda by: flow.cancel_order("O1", "planted reason", by=by),
        }
        use_cases = {name: getattr(flow.use_cases, name) for name in fields_dict(UseCases)}
        assert ask.keys() == {name for name, it in use_cases.items() if isinstance(it, InstrumentedCommand)}
        for name, command in ask.items():
            for by, outcome in ((Actor.parse("customer:C9"), "refused"), (SYSTEM, "ok")):
                lines.clear()
                with suppress(OrderFlowError):
                    await command(by)
                assert [(it["door"], it["actor"], it["action"]) for it in lines] == [("process", str(by), name)]
                assert (lines[0]["outcome"] == "ok") == (outcome == "ok"), lines
                assert "planted" not in repr(lines)


async def test_an_embedding_application_that_logs_warnings_gets_its_audit_lines(lines: list[Line]) -> None:
    logger = logging.getLogger("orderflow.audit")
    logger.setLevel(logging.NOTSET)
    async with OrderFlow.in_memory(consumers=[]) as flow:
        with suppress(OrderFlowError):
            await flow.cancel_order("none", "late")

    assert [line["outcome"] for line in lines] == ["order_not_found"]
