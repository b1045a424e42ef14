"""``orderflow events``: looking at the topic, and checking what claims to be an event."""

import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from cyclopts import App

from ...adapters import wire
from ...application.log import Foreign, LogRecord
from ...domain.errors import InvalidInput, NotConfigured
from .session import InputFile, rows, session

app = App(name="events", help="Look at the events on the topic, and check what claims to be one.")

PAGE = 500


@app.command
async def tail(*, from_beginning: bool = False, follow: bool = True, limit: int | None = None) -> None:
    """Events as they come, one JSON object a line; without Kafka, from the log itself."""
    if limit is not None and limit < 1:
        raise InvalidInput("limit", str(limit), "1 or more")
    async with session().opened() as container:
        seen = 0
        async for record in _records(container, from_beginning, follow):
            sys.stdout.write(_line(record) + "\n")
            sys.stdout.flush()
            seen += 1
            if seen == limit:
                return


@app.command
async def validate(file: InputFile | None = None, /, *, topic: bool = False) -> int:
    """Check events in FILE (JSON lines, one event, or an array of them; '-' is standard input), or the --topic.

    Says what was checked, and what is wrong where; exit 1 when anything is.
    """
    if topic == (file is not None):
        raise InvalidInput("FILE", "both or neither of FILE and --topic", "one of them")
    if file is None:
        report = await _validate_topic()
    elif str(file) == "-":
        report = wire.check_lines(sys.stdin.buffer, name="-")
    else:
        try:
            with file.open("rb") as lines:
                report = wire.check_lines(lines, name=str(file))
        except OSError as e:
            raise InvalidInput(str(file), f"cannot be read: {e.strerror}", "a readable file, or -") from e
    faults = [(fault.where, p.path, p.problem, p.allowed) for fault in report.faults for p in fault.problems]
    table = rows("where", "field", "problem", "allowed", of=faults)
    if faults:
        session().show(report, table)
    else:
        session().show(report, rows("type", "events", of=report.by_type.items()))
    session().say(f"{report.checked} checked, {len(report.faults)} wrong")
    return 1 if report.faults else 0


async def _validate_topic() -> wire.Report:
    by_type: Counter[str] = Counter()
    faults: list[wire.Fault] = []
    async with session().opened() as container:
        if (reader := container.topic_reader()) is None:
            raise NotConfigured("no Kafka is configured", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, or give a FILE")
        async with reader.scan() as scan:
            while records := await scan.read(PAGE):
                for record in records:
                    where, problems = _checked(record)
                    by_type["unknown" if isinstance(record, Foreign) else record.type] += 1
                    faults += [wire.Fault(where, problems)] if problems else []
    return wire.Report(by_type.total(), dict(by_type), tuple(faults))


def _checked(record: LogRecord | Foreign) -> tuple[str, tuple[wire.Problem, ...]]:
    if isinstance(record, Foreign):
        where = f"{record.topic}/{record.partition}@{record.offset}"
        found = wire.check_record(record.value, key=record.key, headers=list(record.headers))
        return where, tuple(found) or (wire.Problem("", record.problem, "an event of the log"),)
    where = f"bucket {record.bucket}, position {record.position}"
    return where, tuple(wire.check_record(record.body, key=record.order_id.encode()))


async def _records(container: Any, from_beginning: bool, follow: bool) -> AsyncIterator[LogRecord | Foreign]:
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
        async for record in _from_log(container, from_beginning, follow):
            yield record


async def _from_log(container: Any, from_beginning: bool, follow: bool) -> AsyncIterator[LogRecord]:
    log, news = container.storage().log, container.news().listener()
    at = {} if from_beginning or not follow else dict(await log.heads())
    while True:
        heads = await log.heads()
        behind = {bucket: at.get(bucket, 0) for bucket, head in heads.items() if head > at.get(bucket, 0)}
        for record in await log.read(behind, limit=PAGE) if behind else ():
            at[record.bucket] = record.position
            yield record
        if not behind:
            if not follow:
                return
            await news.wait(container.settings().poll_seconds)


def _line(record: LogRecord | Foreign) -> str:
    if isinstance(record, Foreign):
        where = f"{record.topic}/{record.partition}@{record.offset}"
        return json.dumps({"foreign": where, "problem": record.problem})
    return record.body.decode()
