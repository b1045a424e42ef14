"""Floods of refusals in the log."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from orderflow.application.log_lines import EACH
from orderflow.domain.errors import StorageUnavailable
from orderflow.entrypoints.http import log_limit

from tests.support.door import Installation, calling, placed
from tests.support.waiting import eventually_async

LINES = 10
FLOOD = 2 * LINES


@pytest.fixture(autouse=True)
def few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_limit, "LINES", LINES)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Return the lines of requests so far."""
    caplog.set_level(logging.INFO, "orderflow.http")

    def logged() -> list[dict[str, Any]]:
        of_requests = [record for record in caplog.records if record.name == "orderflow.http"]
        return [line for record in of_requests for line in getattr(record, EACH, ())]

    return logged


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("/v1/orders", {"Authorization": "Bearer of_wrong"}, "unauthenticated"),
        ("/nope", {}, "not_found"),
        ("/v1/orders/O2", {}, "order_not_found"),
        ("/v1/orders?a=1", {}, "invalid_input"),
    ],
)
async def test_of_a_flood_of_refusals_the_first_are_logged_and_the_others_are_counted(
    installation: Installation,
    lines: Callable[[], list[dict[str, Any]]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    headers: dict[str, str],
    code: str,
) -> None:
    app: Any = installation.app(limits={"requests_per_second": 10_000})
    async with calling(app) as client:
        with monkeypatch.context() as patched:
            patched.setattr(log_limit, "PERIOD_SECONDS", 3_600.0)
            for _ in range(FLOOD):
                await client.get(path, headers=headers)
            await placed(client)
        written = Counter((line.get("error") or {}).get("code") for line in lines())
        app.log_limit._end()

    assert written == {code: LINES, None: 1}
    (counted,) = [record.reasons for record in caplog.records if hasattr(record, "reasons")]
    assert counted == {code: FLOOD - LINES}


async def test_the_number_is_logged_at_the_end_of_the_period_and_lines_are_written_again(
    installation: Installation,
    lines: Callable[[], list[dict[str, Any]]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_limit, "PERIOD_SECONDS", 0.5)
    monkeypatch.setattr(log_limit, "LINES", 1)
    requests = 0
    async with calling(installation.app()) as client:

        async def counted() -> bool:
            nonlocal requests
            requests += 1
            await client.get("/nope")
            return any(hasattr(record, "reasons") for record in caplog.records)

        await eventually_async(counted)
        await eventually_async(lambda: sum_left_out(caplog) + len(lines()) == requests)

    assert len(lines()) >= 1


def sum_left_out(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.reasons["not_found"] for record in caplog.records if hasattr(record, "reasons"))


@pytest.mark.parametrize(
    ("error", "status", "event"),
    [
        (StorageUnavailable("database", "connection refused"), 503, "a backend is unavailable"),
        (RuntimeError("a defect"), 500, "a request failed"),
    ],
)
async def test_what_fails_every_request_does_not_fill_the_log(
    installation: Installation,
    lines: Callable[[], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    event: str,
) -> None:
    monkeypatch.setattr(log_limit, "PERIOD_SECONDS", 3_600.0)

    async def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(type(installation.storage.views), "get_all", fails)
    async with calling(installation.app(limits={"requests_per_second": 10_000})) as client:
        statuses = {(await client.get("/v1/orders/O1")).status_code for _ in range(FLOOD)}

    assert statuses == {status}
    assert [it.message for it in caplog.records if it.levelno >= logging.WARNING] == [event] * LINES
    assert [line["status"] for line in lines()] == [status] * LINES
