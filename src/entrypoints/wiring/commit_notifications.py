"""What the container builds so that processes hear of each other's commits."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from ...adapters.memory import LocalWakeup
from ...adapters.sql.commit_notifications import Bell, BellListener
from ...adapters.sql.engines import PostgresAddress
from ..settings import Settings


def bell(settings: Settings) -> Bell | None:
    """How other processes are told of commits; None where there are none, or they find out by polling."""
    if settings.database_listen == "off" or not settings.database_url.startswith("postgresql:"):
        return None
    address = PostgresAddress(settings.database_url, settings.pooled)
    return Bell(partial(address.connect, "orderflow bell"), uuid4().hex)


def listener(settings: Settings, bell: Bell | None, news: LocalWakeup) -> BellListener | None:
    """How this process hears of others' commits; None where it would hear nothing."""
    url = settings.database_listen_url or ("" if settings.pooled else settings.database_url)
    if bell is None or not url:
        return None
    return BellListener(partial(PostgresAddress(url).connect, "orderflow listener"), bell.who, news.notify)


def telling(news: LocalWakeup, bell: Bell | None) -> Callable[[], None]:
    """Tells whoever waits, here and elsewhere, of a commit."""

    def tell() -> None:
        news.notify()
        if bell is not None:
            bell.ring()

    return tell
