"""Liveness and readiness over HTTP."""

import asyncio

import pytest
from orderflow.domain.errors import StorageUnavailable
from orderflow.entrypoints.http import health

from tests.support.door import Installation, calling


async def available() -> None:
    return


async def unavailable() -> None:
    raise StorageUnavailable("database", "connection refused")


async def broken() -> None:
    raise RuntimeError("the secret is 42")


async def silent() -> None:
    await asyncio.Event().wait()


async def test_the_process_is_ready_if_every_check_succeeds(installation: Installation) -> None:
    async with calling(installation.app(checks={"database": available, "kafka": available})) as client:
        answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "checks": {"database": "ok", "kafka": "ok"}},
    )


async def test_the_process_is_not_ready_if_a_check_fails_and_the_response_has_each_result(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.05)
    checks = {"cache": available, "database": unavailable, "kafka": silent, "mail": broken}
    async with calling(installation.app(checks=checks)) as client:
        answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()) == (
        503,
        {
            "status": "not ready",
            "checks": {
                "cache": "ok",
                "database": "database does not answer: connection refused",
                "kafka": "no response within 0.05 s",
                "mail": "failed (RuntimeError); see the log",
            },
        },
    )


async def test_the_process_is_alive_whatever_check_fails(installation: Installation) -> None:
    async with calling(installation.app(checks={"database": unavailable})) as client:
        answer = await client.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
