"""A request, its log lines and its events have the same correlation id."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient
from orderflow.application.log_lines import EACH
from orderflow.application.request_context import is_traceparent

from tests.support.door import Installation, placed

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("header", ["X-Correlation-ID", "correlation-id"])
async def test_the_callers_id_is_returned_and_recorded_with_the_events(
    installation: Installation, boss: AsyncClient, header: str
) -> None:
    boss.headers[header] = "K1"
    answer = await placed(boss)

    (record,) = await installation.storage.log.history("O1")

    assert (answer.headers["x-correlation-id"], record.correlation_id) == ("K1", "K1")


async def test_without_an_id_one_is_created_that_sorts_by_time(boss: AsyncClient) -> None:
    first, second = [(await boss.get("/livez")).headers["x-correlation-id"] for _ in range(2)]

    assert first < second
    assert UUID(first).version == 7


@pytest.mark.parametrize("unusable", ["", "two words", "x" * 129, "caf\u00e9"])
async def test_an_invalid_id_is_replaced(boss: AsyncClient, unusable: str) -> None:
    answer = await boss.get("/livez", headers={"X-Correlation-ID": unusable.encode("latin-1")})

    assert UUID(answer.headers["x-correlation-id"]).version == 7


@pytest.mark.parametrize("path", ["/nowhere", "/v1/orders/none", "/v1/orders?limit=0"])
async def test_error_responses_have_the_id(boss: AsyncClient, path: str) -> None:
    answer = await boss.get(path, headers={"X-Correlation-ID": "K1"})

    assert answer.headers["x-correlation-id"] == "K1"


@pytest.mark.parametrize(
    "malformed",
    ["", "00-0-0-01", TRACE.upper(), TRACE.replace("00-4", "ff-4"), "00-" + "0" * 32 + TRACE[35:], TRACE + "-x"],
)
async def test_a_malformed_trace_is_replaced_by_a_new_one_that_is_not_sampled(
    installation: Installation, boss: AsyncClient, malformed: str
) -> None:
    boss.headers["traceparent"] = malformed
    await placed(boss)

    (record,) = await installation.storage.log.history("O1")

    assert is_traceparent(record.traceparent)
    assert record.traceparent not in (malformed, TRACE)
    assert record.traceparent.endswith("-00")


@pytest.mark.parametrize("given", [TRACE, None])
async def test_the_trace_is_recorded_in_the_log_and_returned(
    installation: Installation, boss: AsyncClient, given: str | None
) -> None:
    if given:
        boss.headers["traceparent"] = given
    answer = await placed(boss)

    (record,) = await installation.storage.log.history("O1")

    assert answer.headers["traceparent"] == record.traceparent == (given or record.traceparent)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that returns the lines that the API has logged."""
    caplog.set_level(logging.INFO, "orderflow.http")
    return lambda: [
        line for record in caplog.records if record.name == "orderflow.http" for line in getattr(record, EACH, ())
    ]


async def test_every_request_is_logged(boss: AsyncClient, lines: Callable[[], list[dict[str, Any]]]) -> None:
    boss.headers["X-Correlation-ID"] = "K1"
    await placed(boss)
    await boss.get("/v1/orders/O1")
    await boss.get("/v1/orders/none")
    await boss.get("/nowhere/jane@mail.example?secret=1")

    logged = [
        (line["method"], line["route"], line["status"], line.get("order_id"), line.get("error")) for line in lines()
    ]

    one = "/v1/orders/{order_id}"
    not_found = {"code": "order_not_found", "context": {"kind": "order", "id": "none"}}
    assert logged == [
        ("POST", "/v1/orders", 201, None, None),
        ("GET", one, 200, "O1", None),
        ("GET", one, 404, "none", not_found),
        ("GET", "", 404, None, {"code": "not_found"}),
    ]
    assert {line["correlation_id"] for line in lines()} == {"K1"}
    assert all(0 < line["duration"] < 60 for line in lines())


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_are_not_logged(boss: AsyncClient, lines: Callable[[], list[dict[str, Any]]], path: str) -> None:
    await boss.get(path)

    assert lines() == []
