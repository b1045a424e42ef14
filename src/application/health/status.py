"""The status of an installation, as one screen shows it: lag in events and seconds, rates, and the latest errors."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ..backlog import Backlog
from ..orders.payment_attempts import OutstandingPayments
from ..webhooks.ports import WebhookSummary
from .facts import ConnectionFailure, DatabaseFacts, StreamFacts
from .lag import ReaderLag
from .observation import Observation
from .processes import KnownProcess, Part

ERRORS = 5
"""The number of latest errors that are shown."""


@frozen(kw_only=True)
class ReaderStatus:
    """The status of one reader.

    ``waiting`` is the age in seconds of the oldest event to come, None if there is none or it is unknown.
    ``per_second`` is the rate since the previous observation, None without one. ``group`` is its consumer group, with
    its ``members`` and its lag in offsets as Kafka counts it.
    """

    reader: str
    position: int
    events: int
    held: int
    paused: bool
    waiting: float | None
    per_second: float | None
    group: str | None
    members: int | None
    group_lag: int | None


@frozen(kw_only=True)
class ProcessStatus:
    """The status of one process. ``silent`` are the seconds since its last heartbeat; after too many it is ``gone``."""

    id: str
    kind: str
    version: str
    host: str
    pid: int
    since: datetime
    last_seen: datetime
    silent: float
    gone: bool
    parts: Sequence[Part]
    failures: int


@frozen(kw_only=True)
class ErrorStatus:
    """One error. ``where`` is a part of a process, or a consumer. ``message`` contains no personal data."""

    at: datetime
    where: str
    code: str
    message: str


@frozen(kw_only=True)
class Status:
    """The whole status. A field is None if it could not be read; ``unanswered`` has the reason."""

    at: datetime
    version: str
    database: DatabaseFacts | ConnectionFailure
    kafka: StreamFacts | ConnectionFailure | None
    head: int | None
    committed_per_second: float | None
    readers: Sequence[ReaderStatus] | None
    processes: Sequence[ProcessStatus] | None
    parked: Mapping[str, int] | None
    payments: OutstandingPayments | None
    notifications: Backlog | None
    webhooks: WebhookSummary | None
    published_percent: int | None
    paused: Sequence[str] | None
    errors: Sequence[ErrorStatus]
    unanswered: Mapping[str, str]


def status_of(observation: Observation, before: Observation | None, *, version: str) -> Status:
    """Return the status of an observation, with rates since the one ``before``."""
    readers, processes = observation.readers, observation.processes
    return Status(
        at=observation.at,
        version=version,
        database=observation.database,
        kafka=observation.stream,
        head=observation.head,
        committed_per_second=_rate(observation, before, observation.head, before.head if before else None),
        readers=None if readers is None else [_reader(lag, observation, before) for lag in readers],
        processes=None if processes is None else [_process(known) for known in processes],
        parked=observation.parked,
        payments=observation.payments,
        notifications=observation.notifications,
        webhooks=observation.webhooks,
        published_percent=observation.rollout.percent if observation.rollout else None,
        paused=sorted(observation.rollout.paused) if observation.rollout else None,
        errors=_errors(observation),
        unanswered=observation.unanswered,
    )


def _reader(lag: ReaderLag, observation: Observation, before: Observation | None) -> ReaderStatus:
    stream = observation.stream if isinstance(observation.stream, StreamFacts) else None
    group = stream.groups.get(lag.reader) if stream else None
    earlier = {each.reader: each.position for each in (before.readers if before else None) or ()}
    return ReaderStatus(
        reader=lag.reader,
        position=lag.position,
        events=lag.events,
        held=lag.held,
        paused=lag.paused,
        waiting=(observation.waiting or {}).get(lag.reader) if lag.events else None,
        per_second=_rate(observation, before, lag.position, earlier.get(lag.reader)),
        group=group.name if group else None,
        members=group.members if group else None,
        group_lag=group.lag(stream.topic) if group and stream and stream.topic else None,
    )


def _process(known: KnownProcess) -> ProcessStatus:
    process = known.process
    return ProcessStatus(
        id=process.id,
        kind=process.kind,
        version=process.version,
        host=process.host,
        pid=process.pid,
        since=process.started_at,
        last_seen=known.last_seen_at,
        silent=known.silent,
        gone=known.gone,
        parts=process.parts,
        failures=process.failures,
    )


def _rate(observation: Observation, before: Observation | None, value: int | None, earlier: int | None) -> float | None:
    if before is None or value is None or earlier is None:
        return None
    seconds = (observation.at - before.at).total_seconds()
    return (value - earlier) / seconds if seconds > 0 else None


def _errors(observation: Observation) -> Sequence[ErrorStatus]:
    """Return the latest errors of processes and of parked orders, the last first."""
    found = [
        ErrorStatus(at=failure.at, where=f"{failure.part} on {host}", code=failure.code, message=failure.message)
        for known in observation.processes or ()
        for failure, host in [(known.process.failure, known.process.host)]
        if failure is not None
    ]
    found += [
        ErrorStatus(at=it.at, where=it.consumer, code=it.error, message=f"order {it.order_id} is parked")
        for it in observation.latest or ()
    ]
    return sorted(found, key=lambda error: error.at, reverse=True)[:ERRORS]
