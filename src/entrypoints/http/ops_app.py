"""The operations door of a process: ``/livez``, ``/readyz`` and ``/metrics``, and nothing of anybody's orders."""

import asyncio
from collections.abc import Callable, Mapping

from litestar import Litestar
from litestar.datastructures import State

from ...adapters.telemetry import Scrape
from . import problems
from .app import NoEmitter, given
from .health import Check, Checks, livez, readyz
from .metrics import MetricsPage, metrics


def build(checks: Mapping[str, Check], scrape: Scrape, stopping: Callable[[], bool]) -> Litestar:
    """The ASGI application. It asks nobody who they are, so it belongs on an address that only operators reach."""
    return Litestar(
        route_handlers=[livez, readyz, metrics],
        dependencies={"checks": given(Checks(checks, stopping)), "reading": given(MetricsPage(scrape))},
        exception_handlers={Exception: problems.answer},
        openapi_config=None,
        logging_config=None,
        event_emitter_backend=NoEmitter,
        state=State({"closing": asyncio.Event()}),
        debug=False,
    )
