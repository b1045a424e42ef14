"""The operations server of every process: liveness, readiness and metrics."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ..domain.errors import NotConfigured
from .settings import Settings

logger = logging.getLogger("orderflow.processes")


def checks(container: Any) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return the readiness checks by dependency."""
    by_dependency: dict[str, Callable[[], Awaitable[None]]] = {"database": container.storage().ping}
    if (admin := container.topic_admin()) is not None:
        by_dependency["kafka"] = admin.ping
    return by_dependency


@asynccontextmanager
async def ops_server(container: Any) -> AsyncIterator[None]:
    """Serve ``/livez``, ``/readyz`` and ``/metrics`` inside the context, on the address in the settings.

    Without the extra ``http`` a warning is logged instead, because a relay works without it. Raises NotConfigured if
    the port is taken.
    """
    settings: Settings = container.settings()
    try:
        from .http import create_ops_app, serve

        app = create_ops_app(
            checks(container),
            container.scrape(),
            container.stopping().begun,
            container.process_registration().stopped_parts,
        )
    except NotConfigured as missing:
        logger.warning("no operations server: %s", missing)
        yield
        return
    stop, listening = asyncio.Event(), asyncio.Event()

    def ready(host: str, port: int) -> None:
        logger.info("operations", extra={"url": f"http://{host}:{port}"})
        listening.set()

    server = asyncio.create_task(
        serve(
            app,
            host=settings.ops_host,
            port=settings.ops_port,
            setting="ORDERFLOW_OPS_PORT",
            stop=stop,
            on_ready=ready,
            grace_seconds=1,
            stopping=container.stopping(),
        ),
        name="operations",
    )
    opening = asyncio.create_task(listening.wait())
    try:
        await asyncio.wait({server, opening}, return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            await server
        yield
    finally:
        opening.cancel()
        stop.set()
        await server
