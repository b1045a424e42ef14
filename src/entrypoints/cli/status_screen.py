"""Renders the status of an installation for a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...application.health.facts import ConnectionFailure, DatabaseFacts, StreamFacts
from ...application.health.status import ErrorStatus, ProcessStatus, ReaderStatus, Status
from ...application.webhooks.ports import WebhookSummary
from ...domain.text import counted, printable
from .session import rows

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_HAS_LINE = ("database", "kafka")
"""Servers with a line of their own, which also shows that they do not answer."""


def screen(status: Status) -> RenderableType:
    """Render ``status``: servers first, then the log, its readers, the processes, and the latest errors."""
    return Group(*_parts(status))


def _parts(status: Status) -> Iterator[RenderableType]:
    yield Text(f"orderflow {status.version}   {status.at:%Y-%m-%d %H:%M:%S} UTC", style="bold")
    yield from _servers(status)
    for server, failure in status.unanswered.items():
        if server not in _HAS_LINE:
            yield _red(f"no answer   {server}: {failure}")
    if status.head is not None:
        yield _text(_log(status))
    yield from _undelivered(status)
    if status.readers is not None:
        yield _readers(status.readers)
    if status.processes is not None:
        yield _processes(status.processes)
    if status.errors:
        yield _errors(status.errors)


def _servers(status: Status) -> Iterator[Text]:
    match status.database:
        case ConnectionFailure() as failure:
            yield _red(f"database    {failure}")
        case facts:
            yield _text(f"database    {_database(facts)}")
    match status.kafka:
        case ConnectionFailure() as failure:
            yield _red(f"kafka       {failure}")
        case None:
            yield Text("kafka       not configured: consumers read the log")
        case stream:
            yield _text(f"kafka       {_stream(stream)}")


def _database(facts: DatabaseFacts) -> str:
    parts = [f"{facts.kind} {facts.version}".strip()]
    if facts.size is not None:
        parts.append(_size(facts.size))
    if facts.newest:
        newest = "the newest" if facts.current else f"newest is {facts.newest}"
        parts.append(f"migration {facts.schema or 'none'}, {newest}")
    if facts.max_connections is not None:
        parts.append(f"{facts.connections} of {facts.max_connections} connections")
    return " · ".join([*parts, _took(facts.took)])


def _stream(facts: StreamFacts) -> str:
    topic = facts.topic
    about_topic = (
        f"topic {topic.name}: {counted(topic.partitions, 'partition')}, {counted(topic.replication, 'copy', 'copies')}"
        if topic
        else "no such topic"
    )
    return " · ".join([counted(len(facts.brokers), "broker"), about_topic, _took(facts.took)])


def _log(status: Status) -> str:
    parts = [f"log         {status.head:,} events"]
    if status.committed_per_second is not None:
        parts.append(f"{status.committed_per_second:,.1f} committed per second")
    if status.published_percent is not None:
        parts.append(f"{status.published_percent} % of the orders published")
    if status.paused:
        parts.append(f"paused: {', '.join(status.paused)}")
    if status.parked is not None:
        parked = ", ".join(f"{name} {orders}" for name, orders in sorted(status.parked.items()))
        parts.append(f"parked orders: {parked or 'none'}")
    return " · ".join(parts)


def _undelivered(status: Status) -> Iterator[Text]:
    """Render what is not settled or sent; nothing if there is nothing."""
    if (payments := status.payments) and (payments.unsettled or payments.declined_refunds or payments.held):
        refunds, held = counted(payments.declined_refunds, "refund"), counted(payments.held, "authorization")
        yield _red(f"payments    {payments.unsettled} without an outcome, {refunds} declined, {held} held")
    if (backlog := status.notifications) and (backlog.pending or backlog.failed):
        oldest = f", the oldest for {_duration((status.at - backlog.oldest).total_seconds())}" if backlog.oldest else ""
        line = f"messages    {backlog.pending} pending{oldest} · {backlog.failed} failed"
        yield _red(line) if backlog.failed else Text(line)
    if (webhooks := status.webhooks) and (webhooks.enabled or webhooks.disabled):
        line = f"webhooks    {_webhooks(webhooks, status)}"
        yield _red(line) if webhooks.failing or webhooks.stopped or webhooks.backlog.failed else Text(line)


def _webhooks(webhooks: WebhookSummary, status: Status) -> str:
    waiting = webhooks.backlog
    oldest = f", the oldest for {_duration((status.at - waiting.oldest).total_seconds())}" if waiting.oldest else ""
    endpoints = {"enabled": webhooks.enabled, "failing": webhooks.failing, "behind": webhooks.behind}
    endpoints |= {"disabled": webhooks.disabled}
    counts = ", ".join(f"{many} {name}" for name, many in endpoints.items() if many)
    return f"endpoints: {counts} · {waiting.pending} pending{oldest} · {waiting.failed} failed"


def _readers(readers: Sequence[ReaderStatus]) -> Table:
    columns = ("reader", "events to come", "oldest", "held back", "per second", "", "Kafka group", "members", "lag")
    return rows(
        *columns,
        of=(
            (
                it.reader,
                it.events,
                None if it.waiting is None else _duration(it.waiting),
                it.held or None,
                it.per_second,
                "paused" if it.paused else None,
                it.group,
                it.members,
                it.group_lag,
            )
            for it in readers
        ),
    )


def _processes(processes: Sequence[ProcessStatus]) -> RenderableType:
    if not processes:
        return Text("no process is registered")
    return rows(
        "process",
        "host",
        "pid",
        "version",
        "since",
        "heartbeat",
        "runs",
        of=(
            (
                it.kind,
                it.host,
                it.pid,
                it.version,
                it.since,
                f"gone for {_duration(it.silent)}" if it.gone else f"{_duration(it.silent)} ago",
                "; ".join(map(str, it.parts)),
            )
            for it in processes
        ),
    )


def _errors(errors: Sequence[ErrorStatus]) -> Table:
    return rows("latest errors", "where", "code", "", of=((it.at, it.where, it.code, it.message) for it in errors))


def _red(text: str) -> Text:
    return _text(text, style="red")


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style, overflow="fold")


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _size(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
