"""Opening and closing what a container built: the one lifespan of every process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ...adapters.sql import schema
from ...adapters.telemetry.metrics.instruments import ended


@asynccontextmanager
async def opened(container: Any) -> AsyncIterator[None]:
    """The adapters of ``container``, opened; closed at the end.

    A SQLite database is made and migrated as needed, for nobody else is there to do it. Raises NotConfigured and
    InvalidInput before anything is opened, for an extra that is not installed or a setting that is refused.
    """
    storage, direct, channels = container.storage(), container.direct(), container.channels()
    tracing = container.tracing()
    bells = [
        commit_notifier
        for commit_notifier in (container.commit_listener(), container.commit_notifier())
        if commit_notifier is not None
    ]
    container.of_dead_letters()
    url: str = container.settings().database_url
    if url.startswith("sqlite:") and await schema.current(url) != schema.newest():
        await schema.upgrade(url)
    await storage.open()
    try:
        yield
    finally:
        closing: list[Callable[[], Awaitable[None]]] = []
        if direct is not None:
            closing.append(direct.close)
        closing += [channel.close for channel in channels if hasattr(channel, "close")]
        closing += [commit_notifier.close for commit_notifier in bells]
        closing += [storage.close, tracing.close]
        for close in closing:
            await close()
        ended()


def hear(container: Any) -> None:
    """From now on the news of ``container`` tells of what other processes commit, too, where the database does."""
    listener = container.commit_listener()
    if listener is not None:
        listener.start()
