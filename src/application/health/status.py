"""A look at an installation as one screen shows it: lag in events and seconds, what flows a second, the last errors."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from .facts import ConnectionFailure, DatabaseFacts, StreamFacts
from .lag import ReaderLag
from .observation import Observation
from .processes import KnownProcess, Part

ERRORS = 5
"""How many of the latest errors are shown."""


@frozen(kw_only=True)
class ReaderStatus:
    """``waiting`` are the seconds since the oldest event happened that is to come; None where none is, or not known.

    ``per_second`` are the events that it came past since the look before; None without one. ``group`` is its consumer
    group, with its ``members`` and its lag in offsets as Kafka counts it.
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
    """``silent`` are the seconds since it was heard of; when those are too many it counts as ``gone``."""

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
    """``where`` is a part of a process, or a consumer that parked an order. ``message`` names no person."""

    at: datetime
    where: str
    code: str
    message: str


@frozen(kw_only=True)
class Status:
    """None stands for what could not be seen; ``unanswered`` says why."""

    at: datetime
    version: str
    database: DatabaseFacts | ConnectionFailure
    kafka: StreamFacts | ConnectionFailure | None
    head: int | None
    committed_per_second: float | None
    readers: Sequence[ReaderStatus] | None
    processes: Sequence[ProcessStatus] | None
    parked: Mapping[str, int] | None
    published_percent: int | None
    paused: Sequence[str] | None
    errors: Sequence[ErrorStatus]
    unanswered: Mapping[str, str]


def status_of(look: Observation, before: Observation | None, *, version: str) -> Status:
    """``look`` with what has moved since ``before``."""
    return Status(
        at=look.at,
        version=version,
        database=look.database,
        kafka=look.stream,
        head=look.head,
        committed_per_second=_rate(look, before, look.head, before.head if before else None),
        readers=None if look.readers is None else [_reader(lag, look, before) for lag in look.readers],
        processes=None if look.processes is None else [_process(seen) for seen in look.processes],
        parked=look.parked,
        published_percent=look.rollout.percent if look.rollout else None,
        paused=sorted(look.rollout.paused) if look.rollout else None,
        errors=_errors(look),
        unanswered=look.unanswered,
    )


def _reader(lag: ReaderLag, look: Observation, before: Observation | None) -> ReaderStatus:
    stream = look.stream if isinstance(look.stream, StreamFacts) else None
    group = stream.groups.get(lag.reader) if stream else None
    earlier = {each.reader: each.position for each in (before.readers if before else None) or ()}
    return ReaderStatus(
        reader=lag.reader,
        position=lag.position,
        events=lag.events,
        held=lag.held,
        paused=lag.paused,
        waiting=(look.waiting or {}).get(lag.reader) if lag.events else None,
        per_second=_rate(look, before, lag.position, earlier.get(lag.reader)),
        group=group.name if group else None,
        members=group.members if group else None,
        group_lag=group.lag(stream.topic) if group and stream and stream.topic else None,
    )


def _process(seen: KnownProcess) -> ProcessStatus:
    process = seen.process
    return ProcessStatus(
        id=process.id,
        kind=process.kind,
        version=process.version,
        host=process.host,
        pid=process.pid,
        since=process.started_at,
        last_seen=seen.last_seen_at,
        silent=seen.silent,
        gone=seen.gone,
        parts=process.parts,
        failures=process.failures,
    )


def _rate(look: Observation, before: Observation | None, now: int | None, then: int | None) -> float | None:
    if before is None or now is None or then is None:
        return None
    seconds = (look.at - before.at).total_seconds()
    return (now - then) / seconds if seconds > 0 else None


def _errors(look: Observation) -> Sequence[ErrorStatus]:
    """Of processes and of parked orders, the latest first."""
    found = [
        ErrorStatus(at=failure.at, where=f"{failure.part} on {host}", code=failure.code, message=failure.message)
        for seen in look.processes or ()
        for failure, host in [(seen.process.failure, seen.process.host)]
        if failure is not None
    ]
    found += [
        ErrorStatus(at=it.at, where=it.consumer, code=it.error, message=f"order {it.order_id} is parked")
        for it in look.latest or ()
    ]
    return sorted(found, key=lambda error: error.at, reverse=True)[:ERRORS]
