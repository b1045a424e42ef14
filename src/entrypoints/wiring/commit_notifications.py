"""What the container builds so that processes hear of each other's commits."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from ...adapters.memory import LocalWakeup
from ...adapters.sql.commit_notifications import CommitListener, CommitNotifier
from ...adapters.sql.engines import PostgresAddress
from ..settings import Settings


def commit_notifier(settings: Settings) -> CommitNotifier | None:
    """How other processes are told of commits; None where there are none, or they find out by polling."""
    if settings.database_listen == "off" or not settings.database_url.startswith("postgresql:"):
        return None
    address = PostgresAddress(settings.database_url, settings.pooled)
    return CommitNotifier(partial(address.connect, "orderflow notifier"), uuid4().hex)


def listener(settings: Settings, commit_notifier: CommitNotifier | None, news: LocalWakeup) -> CommitListener | None:
    """How this process hears of others' commits; None where it would hear nothing."""
    url = settings.database_listen_url or ("" if settings.pooled else settings.database_url)
    if commit_notifier is None or not url:
        return None
    return CommitListener(partial(PostgresAddress(url).connect, "orderflow listener"), commit_notifier.who, news.notify)


def telling(news: LocalWakeup, commit_notifier: CommitNotifier | None) -> Callable[[], None]:
    """Tells whoever waits, here and elsewhere, of a commit."""

    def tell() -> None:
        news.notify()
        if commit_notifier is not None:
            commit_notifier.notify()

    return tell
