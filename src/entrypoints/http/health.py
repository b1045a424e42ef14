"""Liveness and readiness of the process."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen
from litestar import Response, get
from litestar.di import NamedDependency

from ...domain.errors import OrderFlowError
from .views import render

CHECK_TIMEOUT = 2.0
"""The time limit of one check, in seconds."""

STOPPING = "stopping"
Check = Callable[[], Awaitable[None]]
logger = logging.getLogger("orderflow.http")


@frozen
class Checks:
    """The readiness checks by name, as one named dependency.

    Once ``stopping`` returns True, only the process itself is reported as not ready, and no check runs.
    ``stopped_parts`` returns parts of the process that have stopped, each with the code of its error. They are named,
    and the process stays ready, because the API works without them.
    """

    by_name: Mapping[str, Check]
    stopping: Callable[[], bool] = lambda: False
    stopped_parts: Callable[[], Mapping[str, str]] = dict

    async def __call__(self) -> dict[str, str]:
        """Run all checks concurrently, each within CHECK_TIMEOUT. Return ``ok`` or the problem of each."""
        if self.stopping():
            return {"process": STOPPING}
        names = list(self.by_name)
        outcomes = await asyncio.gather(
            *(asyncio.wait_for(self.by_name[name](), CHECK_TIMEOUT) for name in names), return_exceptions=True
        )
        return {name: _result(name, outcome) for name, outcome in zip(names, outcomes, strict=True)}


def _result(name: str, outcome: BaseException | None) -> str:
    match outcome:
        case None:
            return "ok"
        case TimeoutError():
            return f"no response within {CHECK_TIMEOUT:g} s"
        case OrderFlowError():
            return str(outcome)
        case Exception():
            logger.error("a readiness check failed", extra={"check": name}, exc_info=outcome)
            return f"failed ({type(outcome).__name__}); see the log"
        case _:
            raise outcome


@get("/livez", operation_id="livez", tags=["health"], summary="Liveness")
async def livez() -> dict[str, str]:
    """Return 200 as long as the process serves requests. It checks no dependencies."""
    return {"status": "alive"}


@get("/readyz", operation_id="readyz", tags=["health"], summary="Readiness")
async def readyz(checks: NamedDependency[Checks]) -> Response[dict[str, object]]:
    """Return 503 if a dependency is unavailable or the process is stopping. The body has the result of each check.

    It names parts of the process that have stopped, too: a process stays ready without them.
    """
    outcomes = await checks()
    ready = all(outcome == "ok" for outcome in outcomes.values())
    status = STOPPING if checks.stopping() else "ready" if ready else "not ready"
    body: dict[str, object] = {"status": status, "checks": outcomes}
    if stopped := checks.stopped_parts():
        body["parts"] = {part: f"stopped: {code}" for part, code in stopped.items()}
    return Response(
        render(body),  # type: ignore[arg-type]
        status_code=200 if ready else 503,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
