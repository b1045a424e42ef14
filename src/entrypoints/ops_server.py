"""The operations door of every process, open as long as anything runs in it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ..domain.errors import NotConfigured
from .settings import Settings

logger = logging.getLogger("orderflow.processes")


def checks(container: Any) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return the checks of readiness, by dependency."""
    asked: dict[str, Callable[[], Awaitable[None]]] = {"database": container.storage().ping}
    if (admin := container.topic_admin()) is not None:
        asked["kafka"] = admin.ping
    return asked


@asynccontextmanager
async def ops_server(container: Any) -> AsyncIterator[None]:
    """``/livez``, ``/readyz`` and ``/metrics`` answer inside, where the settings say; it closes last.

    Without the extra ``http`` there is none, and a warning says so: a relay does its work all the same. Raises
    NotConfigured when its port is taken.
    """
    settings: Settings = container.settings()
    try:
        from .http import create_ops_app, serve

        app = create_ops_app(checks(container), container.scrape(), container.stopping().begun)
    except NotConfigured as missing:
        logger.warning("no operations door: %s", missing)
        yield
        return
    stop, open_ = asyncio.Event(), asyncio.Event()

    def ready(host: str, port: int) -> None:
        logger.info("operations", extra={"url": f"http://{host}:{port}"})
        open_.set()

    door = asyncio.create_task(
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
    opening = asyncio.create_task(open_.wait())
    try:
        await asyncio.wait({door, opening}, return_when=asyncio.FIRST_COMPLETED)
        if door.done():
            await door
        yield
    finally:
        opening.cancel()
        stop.set()
        await door
