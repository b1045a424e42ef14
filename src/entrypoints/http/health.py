"""Whether the process lives, and whether what it needs is there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from attrs import frozen
from litestar import Response, get
from litestar.di import NamedDependency as Given

from ...domain.errors import OrderFlowError
from .views import render

PATIENCE = 2.0
"""Seconds that one dependency has to answer."""

STOPPING = "stopping"
Check = Callable[[], Awaitable[None]]
log = structlog.get_logger(__name__)


@frozen
class Checks:
    """The dependencies by name. Named so that it can be injected as one thing.

    Once ``stopping`` says so, the process itself is what is not ready; nothing else is asked then.
    """

    by_name: Mapping[str, Check]
    stopping: Callable[[], bool] = lambda: False

    async def __call__(self) -> dict[str, str]:
        """``ok`` or the reason why not, by name; all are asked at once, each for at most PATIENCE seconds."""
        if self.stopping():
            return {"process": STOPPING}
        names = list(self.by_name)
        outcomes = await asyncio.gather(
            *(asyncio.wait_for(self.by_name[name](), PATIENCE) for name in names), return_exceptions=True
        )
        return {name: _reason(name, outcome) for name, outcome in zip(names, outcomes, strict=True)}


def _reason(name: str, outcome: BaseException | None) -> str:
    match outcome:
        case None:
            return "ok"
        case TimeoutError():
            return f"no answer within {PATIENCE:g} s"
        case OrderFlowError():
            return str(outcome)
        case Exception():
            log.error("a readiness check failed", check=name, exc_info=outcome)
            return f"it failed ({type(outcome).__name__}); the log has more"
        case _:
            raise outcome


@get("/livez", operation_id="livez", tags=["health"], summary="Does the process run?")
async def livez() -> dict[str, str]:
    """Answers 200 as long as requests are answered at all; asks nothing else."""
    return {"status": "alive"}


@get("/readyz", operation_id="readyz", tags=["health"], summary="Is everything there that orders need?")
async def readyz(checks: Given[Checks]) -> Response[dict[str, object]]:
    """503 while a dependency does not answer, or once the process is stopping; the body says which, and why."""
    outcomes = await checks()
    ready = all(outcome == "ok" for outcome in outcomes.values())
    status = STOPPING if checks.stopping() else "ready" if ready else "not ready"
    body = render({"status": status, "checks": outcomes})
    return Response(
        body,  # type: ignore[arg-type]
        status_code=200 if ready else 503,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
