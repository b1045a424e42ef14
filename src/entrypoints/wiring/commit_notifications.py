"""The commit notifications that the container builds, by which processes learn of each other's commits."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from ...adapters.sql.commit_notifications import CommitListener, CommitNotifier
from ...adapters.sql.engines import PostgresAddress
from ...adapters.wakeup import LocalWakeup
from ..settings import Settings


def commit_notifier(settings: Settings) -> CommitNotifier | None:
    """Return what notifies other processes of commits; None if there are none, or if they poll."""
    if settings.database_listen == "off" or not settings.database_url.startswith("postgresql:"):
        return None
    address = PostgresAddress(settings.database_url, settings.pooled)
    return CommitNotifier(partial(address.connect, "orderflow notifier"), uuid4().hex)


def commit_listener(
    settings: Settings, commit_notifier: CommitNotifier | None, wakeup: LocalWakeup
) -> CommitListener | None:
    """Return what wakes this process up when another one commits; None if nothing can be received."""
    url = settings.database_listen_url or ("" if settings.pooled else settings.database_url)
    if commit_notifier is None or not url:
        return None
    return CommitListener(
        partial(PostgresAddress(url).connect, "orderflow listener"), commit_notifier.who, wakeup.notify
    )


def on_commit(wakeup: LocalWakeup, commit_notifier: CommitNotifier | None) -> Callable[[], None]:
    """Return the callback of every commit: it wakes up the readers of this process, and notifies the others."""

    def notify() -> None:
        wakeup.notify()
        if commit_notifier is not None:
            commit_notifier.notify()

    return notify
