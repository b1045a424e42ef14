"""The operations server of a process: ``/livez``, ``/readyz`` and ``/metrics``, without any orders."""

import asyncio
from collections.abc import Callable, Mapping

from attrs import frozen
from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency

from ...adapters.telemetry import Scrape
from ...application.health.processes import GONE_AFTER
from . import problems
from .app import NoEmitter, provide
from .conditions import refuse_other_spellings, refuse_unknown_parameters
from .correlation import CorrelatedApp
from .health import Check, Checks, readyz
from .metrics import MetricsPage, metrics


@frozen
class Liveness:
    """Returns the seconds for which the process's own event loop has been blocked, as a named dependency."""

    blocked: Callable[[], float]


@get("/livez")
async def livez(liveness: NamedDependency[Liveness]) -> Response[dict[str, str]]:
    """Return 503 if the process's event loop has been blocked for so long that other processes consider it gone."""
    blocked = liveness.blocked()
    if blocked > GONE_AFTER:
        return Response({"status": f"the event loop has been blocked for {blocked:.0f} s"}, status_code=503)
    return Response({"status": "alive"})


def create_ops_app(
    checks: Mapping[str, Check],
    scrape: Scrape,
    stopping: Callable[[], bool] = lambda: False,
    stopped_parts: Callable[[], Mapping[str, str]] = dict,
    blocked: Callable[[], float] = lambda: 0.0,
) -> Litestar:
    """Create an ASGI application with only ``/livez``, ``/readyz`` and ``/metrics``, for processes of every kind.

    ``blocked`` returns the seconds for which the process's own event loop has been blocked, if the application runs on
    another one. The other arguments and errors are as for ``create_app``. It has no authentication, so it must be
    reachable by operators only.
    """
    readiness = Checks(checks, stopping, stopped_parts)
    return CorrelatedApp(
        route_handlers=[livez, readyz, metrics],
        dependencies={
            "checks": provide(readiness),
            "page": provide(MetricsPage(scrape)),
            "liveness": provide(Liveness(blocked)),
        },
        exception_handlers={Exception: problems.problem_response},
        guards=[refuse_other_spellings, refuse_unknown_parameters],
        openapi_config=None,
        logging_config=None,
        event_emitter_backend=NoEmitter,
        state=State({"closing": asyncio.Event()}),
        debug=False,
    )
