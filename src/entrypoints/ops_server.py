"""The operations server of every process: liveness, readiness and metrics, on an event loop of its own."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from threading import Thread
from types import MappingProxyType
from typing import Any

from attrs import evolve

from ..adapters.telemetry import Scrape
from ..adapters.telemetry.metrics import catalogue
from ..adapters.telemetry.metrics.scraped_gauges import PATIENCE
from ..domain.errors import NotConfigured, Unavailable
from .main_loop import MainLoop
from .settings import Settings

CONNECTIONS = 64
"""Connections that the server admits: of the process's descriptors, most are for its work."""

logger = logging.getLogger("orderflow.processes")


def checks(container: Any) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return the readiness checks by dependency."""
    by_dependency: dict[str, Callable[[], Awaitable[None]]] = {"database": container.storage().ping}
    if (admin := container.topic_admin()) is not None:
        by_dependency["kafka"] = admin.ping
    return by_dependency


@asynccontextmanager
async def ops_server(
    container: Any, more_checks: Mapping[str, Callable[[], Awaitable[None]]] = MappingProxyType({})
) -> AsyncIterator[None]:
    """Serve ``/livez``, ``/readyz`` and ``/metrics`` inside the context, on the address in the settings.

    They are answered on a thread, also while this event loop is blocked or busy. Without the extra ``http`` a warning
    is logged instead, because a relay works without it. Raises NotConfigured if the port is taken.
    """
    settings: Settings = container.settings()
    main_loop = MainLoop(asyncio.get_running_loop())
    try:
        from .http import create_ops_app, serve

        app = create_ops_app(
            {name: main_loop.on_loop(check) for name, check in [*checks(container).items(), *more_checks.items()]},
            _scrape(container.scrape(), main_loop),
            container.stopping().begun,
            container.process_registration().stopped_parts,
            main_loop.blocked,
        )
    except NotConfigured as missing:
        logger.warning("no operations server: %s", missing)
        yield
        return
    listening: Future[Callable[[], object]] = Future()
    ended: Future[None] = Future()

    async def served() -> None:
        stop = asyncio.Event()
        stopping = partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set)

        def ready(host: str, port: int) -> None:
            listening.set_result(stopping)
            logger.info("operations", extra={"url": f"http://{host}:{port}"})

        await serve(
            app,
            host=settings.ops_host,
            port=settings.ops_port,
            setting="ORDERFLOW_OPS_PORT",
            stop=stop,
            on_ready=ready,
            grace_seconds=1,
            stopping=container.stopping(),
            limits={"connections": CONNECTIONS, "per_address": CONNECTIONS},
        )

    def run() -> None:
        try:
            asyncio.run(served())
        except BaseException as error:  # noqa: BLE001 - it is raised where the server was started
            (ended if listening.done() else listening).set_exception(error)
        else:
            ended.set_result(None)

    Thread(target=run, name="operations", daemon=True).start()
    stop = await asyncio.wrap_future(listening)
    try:
        async with main_loop.watched():
            yield
    finally:
        if not ended.done():
            stop()
        await asyncio.wrap_future(ended)


def _scrape(scrape: Scrape, main_loop: MainLoop) -> Scrape:
    """Return ``scrape`` for another event loop: without the states while ``main_loop`` is blocked, which is counted."""
    read = main_loop.on_loop(scrape.states)

    async def states() -> list[Any]:
        try:
            return list(await asyncio.wait_for(read(), 2 * PATIENCE))
        except (Unavailable, TimeoutError) as error:
            logger.warning("a scrape leaves states out: %s", error or "the event loop is blocked")
            scrape.instruments.add(catalogue.SCRAPE_ERRORS, backend="process")
            return []

    return evolve(scrape, states=states)
