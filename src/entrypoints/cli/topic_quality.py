"""``orderflow events validate --watch``: the quality of the topic, live."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Annotated

from attrs import define, field, frozen
from cyclopts import Parameter
from rich.console import Group
from rich.live import Live
from rich.table import Table

from ...adapters import wire
from ...adapters.telemetry.metrics.topic_quality import TopicMetrics
from ...domain.errors import InvalidInput, NotConfigured
from .output import write_json
from .session import plain, print_table, rows, session

SHOWN = 10
"""Bad records that the table shows, the latest."""


@Parameter(name="*")
@frozen(kw_only=True)
class WatchOptions:
    """The options of the command that are for --watch."""

    from_beginning: bool = False
    seconds: Annotated[
        float | None,
        Parameter(name="--for", help="seconds to watch, once every partition is read"),
    ] = None
    every: Annotated[float, Parameter(help="seconds between two refreshes")] = 1.0
    late: Annotated[float, Parameter(help="seconds after which a record is late")] = wire.LATE.total_seconds()
    future: Annotated[float, Parameter(help="seconds by which clocks may differ")] = wire.FUTURE.total_seconds()
    metrics: Annotated[
        Path | None, Parameter(help="a file for the metrics in Prometheus' text format, rewritten at each refresh")
    ] = None

    def check(self) -> None:
        """Raise InvalidInput if one is no number of seconds."""
        for name, least in (("for", 0.0), ("every", 0.1), ("late", 0.0), ("future", 0.0)):
            given = self.seconds if name == "for" else getattr(self, name)
            if given is not None and not least <= given < 1e9:
                raise InvalidInput(name, f"it is {given}", f"seconds, {least:g} or more")


DEFAULTS = WatchOptions()


async def watch(options: WatchOptions) -> int:
    """Watch the topic until stopped, or for that time once every partition is read. Return 1 if a record is wrong."""
    options.check()
    async with session().opened() as container:
        reader = container.topic_reader()
        if reader is None:
            raise NotConfigured("no Kafka is configured", "set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS, or give a FILE")
        quality = wire.TopicQuality(
            late=timedelta(seconds=options.late),
            future=timedelta(seconds=options.future),
            from_beginning=options.from_beginning,
            addressed=container.settings().publishing == "log",
        )
        watching = Watching(quality, options, _metrics(options.metrics))
        with _stopped_by_signals() as stop, watching.shown():
            async with aclosing(reader.watch(from_beginning=options.from_beginning)) as flow:
                await watching(flow, stop)
    session().info(f"{quality.checked} checked, {quality.wrong} wrong, {quality.late_records} late")
    return 1 if quality.wrong else 0


@define
class Watching:
    """Inspects the records that arrive, and shows the counts at each refresh and at the end."""

    quality: wire.TopicQuality
    options: WatchOptions
    metrics: TopicMetrics | None
    _live: Live | None = field(default=None, init=False)

    async def __call__(
        self, flow: AsyncIterator[tuple[Sequence[wire.ConsumedRecord], bool]], stop: asyncio.Event
    ) -> None:
        """``flow`` says with the records whether every partition is being read: from then on the seconds count."""
        now = asyncio.get_running_loop().time
        shown, end = now(), inf
        async for records, reading in flow:
            for arrival in records:
                self._inspect(arrival)
            if end == inf and reading and self.options.seconds is not None:
                end = now() + self.options.seconds
            over = stop.is_set() or now() >= end
            if over or now() - shown >= self.options.every:
                shown = now()
                self._refresh(last=over)
            if over:
                return

    def _inspect(self, arrival: wire.ConsumedRecord) -> None:
        inspection = self.quality.inspect(arrival)
        if self.metrics is not None:
            self.metrics.count(inspection)
        if session().json:
            for bad in inspection.violations:
                _line({"bad": plain(bad)})

    def _refresh(self, *, last: bool) -> None:
        if self.metrics is not None:
            try:
                self.metrics.write()
            except OSError as error:
                raise InvalidInput(
                    "metrics", f"{self.metrics.file} cannot be written: {error.strerror}", _FILE
                ) from error
        if session().json:
            _line(wire.summary(self.quality))
        elif self._live is not None:
            self._live.update(_screen(self.quality), refresh=True)
        elif last:
            print_table(_screen(self.quality))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """On a terminal a table that is drawn anew; elsewhere it is written once, at the end."""
        if session().json or not sys.stdout.isatty():
            yield
            return
        with Live(_screen(self.quality), auto_refresh=False) as self._live:
            yield


_FILE = "a file in a folder that is there"


def _metrics(file: Path | None) -> TopicMetrics | None:
    if file is None:
        return None
    if not file.parent.is_dir() or file.is_dir():
        raise InvalidInput("metrics", f"{file} cannot be written", _FILE)
    return TopicMetrics(file)


@contextmanager
def _stopped_by_signals() -> Iterator[asyncio.Event]:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _line(document: object) -> None:
    write_json(json.dumps(document))
    sys.stdout.flush()


def _screen(quality: wire.TopicQuality) -> Group:
    records = rows(
        "type",
        "version",
        "records",
        "bytes, mean",
        "bytes, largest",
        of=(
            (kind, version, count, quality.sizes[kind].mean, quality.sizes[kind].largest)
            for (kind, version), count in sorted(quality.records.items())
        ),
    )
    counted = [
        ("records", quality.checked),
        ("wrong", quality.wrong),
        ("late", f"{quality.late_records}, the latest by {quality.latest_seconds:.1f} s"),
        ("from the future", quality.future_records),
        ("orders that contradict themselves", quality.contradicting_orders),
        *((f"contradictions: {kind}", count) for kind, count in quality.contradictions.most_common()),
        *((f"faults in {name}", count) for name, count in quality.faults.most_common(SHOWN)),
    ]
    tables: list[Table] = [records, rows("", "", of=counted)]
    if quality.violations:
        last = list(quality.violations)[-SHOWN:]
        bad = ((f"{b.topic}/{b.partition}@{b.offset}", b.kind, b.field, b.problem) for b in last)
        tables.append(rows("topic/partition@offset", "kind", "field", "problem", of=bad))
    return Group(*tables)
