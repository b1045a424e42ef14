"""The operations server of a process: ``/livez``, ``/readyz`` and ``/metrics``, without any orders."""

import asyncio
from collections.abc import Callable, Mapping

from litestar import Litestar
from litestar.datastructures import State

from ...adapters.telemetry import Scrape
from . import problems
from .app import NoEmitter, provide, refuse_other_spellings
from .correlation import CorrelatedApp
from .health import Check, Checks, livez, readyz
from .metrics import MetricsPage, metrics


def build(
    checks: Mapping[str, Check],
    scrape: Scrape,
    stopping: Callable[[], bool],
    stopped_parts: Callable[[], Mapping[str, str]],
) -> Litestar:
    """Build the application. It has no authentication, so it must be reachable by operators only."""
    readiness = Checks(checks, stopping, stopped_parts)
    return CorrelatedApp(
        route_handlers=[livez, readyz, metrics],
        dependencies={"checks": provide(readiness), "page": provide(MetricsPage(scrape))},
        exception_handlers={Exception: problems.problem_response},
        guards=[refuse_other_spellings],
        openapi_config=None,
        logging_config=None,
        event_emitter_backend=NoEmitter,
        state=State({"closing": asyncio.Event()}),
        debug=False,
    )
