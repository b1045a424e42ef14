"""Opening and closing what a container built: the one lifespan of every process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction
from typing import Any

from ...adapters.sql import schema
from ...adapters.telemetry.metrics.instruments import ended
from ...application.safe_loggers import protect_loggers
from ..container import Container


@asynccontextmanager
async def opened(container: Container) -> AsyncIterator[None]:
    """Open the adapters of ``container``, and close them at the end.

    A SQLite database is created and migrated as needed, because no other process does that. Raises NotConfigured and
    InvalidInput before anything is opened, for an extra that is not installed or a setting that is refused.
    """
    protect_loggers()
    storage, direct = container.storage(), container.direct()
    parts: list[Any] = [container.gateway(), *container.channels()]
    if container.settings().notification_templates:
        container.templates()
    container.price_authority()
    tracing = container.tracing()
    commit_listener, commit_notifier = container.commit_listener(), container.commit_notifier()
    container.dead_letter_kafka()
    url = container.settings().database_url
    if url.startswith("sqlite:") and await schema.current(url) != schema.newest():
        await schema.upgrade(url)
    await storage.open()
    protect_loggers()
    try:
        yield
    finally:
        closing: list[Callable[[], Awaitable[None]]] = []
        if direct is not None:
            closing.append(direct.close)
        closing += [part.close for part in parts if iscoroutinefunction(getattr(part, "close", None))]
        if commit_listener is not None:
            closing.append(commit_listener.close)
        if commit_notifier is not None:
            closing.append(commit_notifier.close)
        closing += [storage.close, tracing.close]
        for close in closing:
            await close()
        ended()


def listen_for_commits(container: Container) -> None:
    """Wake up the readers of ``container`` for commits of other processes, too, if the database notifies of them."""
    listener = container.commit_listener()
    if listener is not None:
        listener.start()
