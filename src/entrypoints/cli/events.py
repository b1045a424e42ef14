"""``orderflow events``: reads and validates events."""

import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from cyclopts import App

from ...adapters import wire
from ...application.event_log.records import LogRecord, Positions, UnrecognizedRecord, unread
from ...domain.errors import InvalidInput, NotConfigured
from .arguments import opened_file
from .output import write_json
from .session import InputFile, rows, session
from .topic_quality import DEFAULTS, WatchOptions
from .topic_quality import watch as watch_topic

if TYPE_CHECKING:
    from ..container import Container

app = App(name="events")
app.command(f"{__package__}.replay:replay")

PAGE = 500


@app.command
async def tail(*, from_beginning: bool = False, follow: bool = True, limit: int | None = None) -> None:
    """Print events as they arrive, one JSON object per line. Without Kafka they are read from the log."""
    if limit is not None and limit < 1:
        raise InvalidInput("limit", str(limit), "1 or more")
    async with session().opened() as container:
        seen = 0
        async for record in _records(container, from_beginning, follow):
            write_json(_line(record))
            sys.stdout.flush()
            seen += 1
            if seen == limit:
                return


@app.command
async def validate(
    file: InputFile | None = None,
    /,
    *,
    topic: bool = False,
    watch: bool = False,
    options: WatchOptions = DEFAULTS,
) -> int:
    """Validate the events in FILE (JSON lines, one event, or an array; '-' is standard input), or on the --topic.

    Lists the violations of the first 1000 wrong records, counts all, and exits with 1 if there is any. --watch
    validates the topic continuously, from now on or --from-beginning, until stopped or for --for seconds. It shows a
    table, or with --json a line for each violation and one at each refresh with all counts.
    """
    if watch:
        if file is not None:
            raise InvalidInput("FILE", "both FILE and --watch", "--watch is for the topic")
        return await watch_topic(options)
    if options.from_beginning or options.seconds is not None or options.metrics is not None:
        raise InvalidInput("--watch", "--from-beginning, --for and --metrics go with it", "--watch")
    if topic == (file is not None):
        raise InvalidInput("FILE", "both or neither of FILE and --topic", "one of them")
    if file is None:
        report = await _validate_topic()
    else:
        with opened_file(file) as lines:
            report = wire.check_lines(wire.lines_of(lines, str(file)), name=str(file))
    faults = [(fault.where, p.path, p.problem, p.allowed) for fault in report.faults for p in fault.problems]
    table = rows("where", "field", "problem", "allowed", of=faults)
    if report.wrong:
        session().show(report, table)
    else:
        session().show(report, rows("type", "events", of=report.by_type.items()))
    if report.wrong > len(report.faults):
        by_field = ", ".join(f"{count} in {name}" for name, count in Counter(report.by_field).most_common())
        session().info(f"only the first {len(report.faults)} wrong records are listed; all problems: {by_field}")
    session().info(f"{report.checked} checked, {report.wrong} wrong")
    return 1 if report.wrong else 0


async def _validate_topic() -> wire.ValidationReport:
    report = wire.ValidationReport()
    async with session().opened() as container:
        if (reader := container.topic_reader()) is None:
            raise NotConfigured("no Kafka is configured", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, or give a FILE")
        addressed = container.settings().publishing == "log"
        async with reader.scan() as scan:
            while records := await scan.records(PAGE):
                for each in records:
                    where = f"{each.topic}/{each.partition}@{each.offset}"
                    report.add(where, each.value, wire.inspect(each, addressed=addressed))
    return report


async def _records(
    container: "Container", from_beginning: bool, follow: bool
) -> AsyncIterator[LogRecord | UnrecognizedRecord]:
    reader = container.topic_reader()
    if reader is not None and follow:
        async for record in reader.tail(from_beginning=from_beginning):
            yield record
    elif reader is not None:
        async with reader.scan() as scan:
            while records := await scan.read(PAGE):
                for record in records:
                    yield record
    else:
        from ..wiring.lifespan import listen_for_commits

        at = {} if from_beginning or not follow else await container.storage().log.heads()
        if follow:
            listen_for_commits(container)
        async for records in log_after(container, at, follow=follow):
            for record in records:
                yield record


async def log_after(
    container: "Container", positions: Positions, *, follow: bool = True
) -> AsyncIterator[Sequence[LogRecord]]:
    """Yield the records of the log after ``positions`` in batches; with ``follow``, also those that are to come."""
    log, news, at = container.storage().log, container.news().listener(), dict(positions)
    while True:
        heads = await log.heads()
        if behind := unread(at, heads):
            records = await log.read(behind, limit=PAGE)
            at.update((record.bucket, record.position) for record in records)
            yield records
        elif follow:
            await news.wait(container.settings().poll_seconds)
        else:
            return


def _line(record: LogRecord | UnrecognizedRecord) -> str:
    if isinstance(record, UnrecognizedRecord):
        where = f"{record.topic}/{record.partition}@{record.offset}"
        return json.dumps({"foreign": where, "problem": record.problem})
    return record.body.decode()
