"""Every write and every refusal of the API has one audit line, with caller and origin and without personal data."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.application.auth import Scope
from orderflow.application.log_lines import EACH
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.http import create_app
from orderflow.entrypoints.http.log_limit import LINES
from orderflow.entrypoints.settings import Settings

from tests.support.door import BOSS, CUSTOMER, RESTAURANT, SHIPPER, Installation, an_order, calling, placed

PLANTED = {"street": "Planted Street 1", "city": "Plantedville", "note": "planted"}
Line = Mapping[str, Any]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[Line]]:
    """The audit lines so far."""
    found: list[Line] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.extend(getattr(record, EACH))

    audit, keep = logging.getLogger("orderflow.audit"), Keep()
    caplog.set_level(logging.INFO, "orderflow.audit")
    audit.addHandler(keep)
    yield found
    audit.removeHandler(keep)


@pytest.fixture
async def client(installation: Installation) -> AsyncIterator[AsyncClient]:
    async with calling(installation.app()) as calls:
        del calls.headers["X-Actor"]
        yield calls


async def _as(installation: Installation, actor: str, **limits: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {await installation.token(actor, **limits)}"}


def told(line: Line) -> tuple[Any, ...]:
    return tuple(line.get(name, "") for name in ("actor", "label", "action", "outcome", "order_id"))


async def test_a_write_says_who_by_which_token_from_where_what_and_how_it_ended(
    installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    headers = await _as(installation, CUSTOMER)

    answer = await client.post("/v1/orders", json=an_order(orderId="O1", address=PLANTED), headers=headers)
    await client.post("/v1/orders/O1/cancel", json={"reason": "planted reason"}, headers=headers)
    await client.get("/v1/orders/O1", headers=headers)

    assert [told(line) for line in lines] == [
        (CUSTOMER, "test", "POST /v1/orders", "ok", ""),
        (CUSTOMER, "test", "POST /v1/orders/{order_id}/cancel", "ok", "O1"),
    ]
    assert {(line["door"], line["origin"]) for line in lines} == {("http", "127.0.0.1")}
    assert lines[0]["correlation_id"] == answer.headers["x-correlation-id"]
    assert "lanted" not in repr(lines)


async def test_every_refusal_has_a_line_with_its_code(
    installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    async with calling(installation.app()) as boss:
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
    assert [told(line) for line in lines] == [
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


async def test_refusals_of_nobody_do_not_fill_the_log_and_those_of_a_caller_are_all_there(
    installation: Installation, client: AsyncClient, lines: list[Line]
) -> None:
    headers = await _as(installation, CUSTOMER)

    for _ in range(LINES + 20):
        await client.get("/v1/orders")
        await client.get("/v1/orders/none", headers=headers)

    assert sum(line["outcome"] == "unauthenticated" for line in lines) == LINES
    assert sum(line["outcome"] == "order_not_found" for line in lines) == LINES + 20


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

    assert [told(line) for line in lines] == [
        (CUSTOMER, "test", "create_order", "ok", "O1"),
        (CUSTOMER, "test", "create_order", "not_permitted", ""),
        (CUSTOMER, "test", "create_order", "ok", "O3"),
        (CUSTOMER, "test", "POST /v1/orders:batch", "ok", ""),
    ]
