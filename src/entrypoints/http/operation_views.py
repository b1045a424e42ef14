"""The responses to operators."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ...application.health.facts import ConnectionFailure, DatabaseFacts, StreamFacts
from ...application.health.status import ErrorStatus, ProcessStatus, ReaderStatus, Status
from ...application.health.status_watch import LagSample
from .views import view_of


@frozen(kw_only=True)
class ServerView:
    """A server: its ``kind`` and ``version``, or the ``problem`` with which it did not answer."""

    kind: str
    version: str
    problem: str


@frozen(kw_only=True)
class StatusView:
    """The status of the installation. A member that could not be read is null, and ``unanswered`` has the reason.

    ``history`` has each reader's lag since the first status request to this process.
    """

    at: datetime
    version: str
    database: ServerView
    kafka: ServerView | None
    head: int | None
    committed_per_second: float | None
    readers: tuple[ReaderStatus, ...] | None
    processes: tuple[ProcessStatus, ...] | None
    parked: Mapping[str, int] | None
    published_percent: int | None
    paused: tuple[str, ...] | None
    errors: tuple[ErrorStatus, ...]
    unanswered: Mapping[str, str]
    history: tuple[LagSample, ...]


@frozen(kw_only=True)
class FindingView:
    """A finding of the doctor: what was found, what is expected, and how to fix it."""

    code: str
    severity: str
    what: str
    found: str
    expected: str
    fix: str


@frozen(kw_only=True)
class FindingsView:
    """The findings, the most severe first. ``reached``: every server has answered."""

    reached: bool
    findings: tuple[FindingView, ...]


@frozen(kw_only=True)
class ChangeView:
    """A change that was made by hand."""

    at: datetime
    by: str
    reason: str
    kind: str
    what: str


@frozen(kw_only=True)
class ChangesView:
    """Changes by hand, the latest first."""

    changes: tuple[ChangeView, ...]


@frozen(kw_only=True)
class ChangedView:
    """The outcome: ``changed`` is false if it was so already."""

    changed: bool


def status_view(status: Status, history: Sequence[LagSample]) -> StatusView:
    return view_of(
        StatusView,
        status,
        database=_database(status.database),
        kafka=None if status.kafka is None else _kafka(status.kafka),
        history=tuple(history),
    )


def _database(found: DatabaseFacts | ConnectionFailure) -> ServerView:
    if isinstance(found, ConnectionFailure):
        return ServerView(kind="", version="", problem=str(found))
    return ServerView(kind=found.kind, version=found.version, problem="")


def _kafka(found: StreamFacts | ConnectionFailure) -> ServerView:
    return ServerView(kind="kafka", version="", problem=str(found) if isinstance(found, ConnectionFailure) else "")
