"""Alive, and ready."""

import asyncio

import pytest
from orderflow.domain.errors import StorageUnavailable
from orderflow.entrypoints.http import health

from tests.support.door import Installation, calling


async def fine() -> None:
    return


async def away() -> None:
    raise StorageUnavailable("database", "connection refused")


async def broken() -> None:
    raise RuntimeError("the secret is 42")


async def silent() -> None:
    await asyncio.Event().wait()


async def test_it_is_ready_when_every_dependency_answers(installation: Installation) -> None:
    async with calling(installation.app(checks={"database": fine, "kafka": fine})) as client:
        answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "checks": {"database": "ok", "kafka": "ok"}},
    )


async def test_it_is_not_ready_and_says_what_is_missing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    checks = {"cache": fine, "database": away, "kafka": silent, "mail": broken}
    async with calling(installation.app(checks=checks)) as client:
        answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()) == (
        503,
        {
            "status": "not ready",
            "checks": {
                "cache": "ok",
                "database": "database does not answer: connection refused",
                "kafka": "no answer within 0.05 s",
                "mail": "it failed (RuntimeError); the log has more",
            },
        },
    )


async def test_it_lives_whatever_is_missing(installation: Installation) -> None:
    async with calling(installation.app(checks={"database": away})) as client:
        answer = await client.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
