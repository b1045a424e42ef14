"""``python -m bench [NAME...]``: measure, print the ratios, and exit 1 where a promise is not kept."""

import argparse
import asyncio
import math
import re
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from time import perf_counter
from typing import Any

from orderflow.application.audit import logger as audit_log
from orderflow.entrypoints.logging_setup import configure_logs
from orderflow.entrypoints.settings import Settings
from tests.support.servers import MissingServer

from . import (
    board,
    coding,
    consuming,
    creating,
    days,
    growing,
    handling,
    hostile,
    hostile_day,
    joining,
    latency,
    memory,
    metrics,
    ordering,
    relaying,
    searching,
    serving,
    streaming,
    tracing,
    wakeup,
    webhooks,
)
from .finding import Effort, Finding, table
from .machine import described
from .servers import Servers

Measure = Callable[[Servers, Effort], Coroutine[Any, Any, list[Finding]]]

MEASUREMENTS: Mapping[str, tuple[Measure, str]] = {
    "create": (
        creating.measure,
        "orders created by 128 callers and by one, against a commit each, and pgbench (PostgreSQL)",
    ),
    "change": (
        creating.measure_change,
        "shippers assigned by 128 callers, against the ORM with a commit each (PostgreSQL)",
    ),
    "create-sqlite": (
        creating.measure_sqlite,
        "orders created by 128 callers, against the ORM with a commit each (SQLite)",
    ),
    "joining": (
        joining.measure,
        "orders in an application's own transactions, and through open_sync, against those of a flow (PostgreSQL)",
    ),
    "codec": (coding.measure, "events to JSON and back, against pydantic, cattrs with orjson, and json"),
    "growth": (growing.measure, "creating, idle polls and timelines with 0, 1 and 5 million events (PostgreSQL)"),
    "http": (serving.measure, "orders created over HTTP, against FastAPI and the ORM (PostgreSQL, wrk)"),
    "order": (
        ordering.measure,
        "whole orders over HTTP until all three consumers have handled them (PostgreSQL, Kafka)",
    ),
    "relay": (relaying.measure, "log to topic, against the bare idempotent producer (PostgreSQL, Kafka)"),
    "consumer": (
        consuming.measure,
        "topic to effects, against a commit per message, FastStream and bare (PostgreSQL, Kafka)",
    ),
    "handler": (
        handling.measure,
        "topic to an application's own function, one event, on a thread, in lists (PostgreSQL, Kafka)",
    ),
    "webhooks": (webhooks.measure, "deliveries to one endpoint, against bare requests (PostgreSQL)"),
    "latency": (
        latency.measure,
        "from a commit to the handling of its event, by the rate of orders (PostgreSQL, Kafka)",
    ),
    "day": (days.measure, "a day step by step, against bare transactions (SQLite, PostgreSQL)"),
    "day-sqlite": (days.on_sqlite, "the same on SQLite alone, which needs no server; part of day"),
    "tracing": (tracing.measure, "a command with tracing off, on, and with its log line, against the bare use-case"),
    "metrics": (metrics.measure, "orders created and events handled, counted, against the same uncounted (PostgreSQL)"),
    "wakeup": (wakeup.measure, "the delay until another process sees a commit, and its cost (PostgreSQL, SQLite)"),
    "memory": (memory.measure, "resident memory of each process after one day and after two (PostgreSQL, Kafka)"),
    "find": (searching.measure, "finding and counting orders among a million (PostgreSQL)"),
    "streams": (streaming.measure, "memory of an API process with 200 live streams (SQLite)"),
    "board": (board.measure, "frames of the board with 1,000 live orders that change, in Chromium (SQLite)"),
    "hostile": (hostile.measure, "slow, many and hostile callers of an API process (SQLite)"),
    "hostile-day": (
        hostile_day.measure,
        "half an hour of a day among hostile clients, records and servers (PostgreSQL, Kafka); not part of all",
    ),
}
BY_NAME_ONLY = {"day-sqlite", "hostile-day"}
"""Those that another measurement includes, or that take half an hour."""
ALL = tuple(name for name in MEASUREMENTS if name not in BY_NAME_ONLY)
TINY = Effort(pairs=1, scale=0.002, repeats=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all that was promised is kept, 1 when not, or when a server was missing."""
    asked = _parser().parse_args(arguments)
    if asked.list:
        for name, (_, says) in MEASUREMENTS.items():
            print(f"{name:<15}{says}")
        return 0
    effort = TINY if asked.tiny else Effort(pairs=asked.pairs, scale=asked.scale)
    found: list[Finding] = []
    missing: list[str] = []
    with Servers() as servers:
        for name in asked.part(list(dict.fromkeys(asked.names or ALL))):
            began = perf_counter()
            print(f"{name} ...", file=sys.stderr, end="", flush=True)
            try:
                found += asyncio.run(MEASUREMENTS[name][0](servers, effort))
            except MissingServer as error:
                missing.append(f"{name}: not measured: {error}")
            print(f" {perf_counter() - began:.0f} s", file=sys.stderr)
        versions = servers.versions()
    print(table(found))
    print("; ".join([described(), *versions]))
    missed = [f"missed: {each.what.strip()}: {each.median:.2f}, promised {each.bound}" for each in found if each.missed]
    for line in (*missing, *missed):
        print(line)
    if asked.tiny:
        return 1 if missing else 0
    return 1 if (missing or missed) and not asked.no_floors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure orderflow. See docs/benchmarks.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *MEASUREMENTS], help=", ".join(MEASUREMENTS))
    parser.add_argument("--list", action="store_true", help="say what each measures, and end")
    parser.add_argument("--no-floors", action="store_true", help="only print: exit 0 whatever was found")
    parser.add_argument(
        "--tiny", action="store_true", help="only see that each runs, in seconds: promises are not held"
    )
    parser.add_argument(
        "--part", type=_part, default="1/1", metavar="N/M", help="of M equal parts of the measurements, the Nth only"
    )
    parser.add_argument("--pairs", type=_at_least_one, default=Effort().pairs, help="turns that each side gets")
    parser.add_argument("--scale", type=_above_zero, default=1.0, help="so many times the usual amount of work")
    return parser


def _part(text: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return what selects a part of a sequence: ``2/3`` is every third item from the second on."""
    named = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text)
    if named is None or (number := int(named[1])) > (parts := int(named[2])):
        raise argparse.ArgumentTypeError(f"{text!r} is no part such as 1/2 or 2/2")
    return lambda names: names[number - 1 :: parts]


def _at_least_one(text: str) -> int:
    return int(_within(text, int, 1, math.inf, "no whole number from 1 on"))


def _above_zero(text: str) -> float:
    return _within(text, float, math.ulp(0.0), math.nextafter(1000.0, 0.0), "no number above 0 and below 1000")


def _within(text: str, kind: Callable[[str], float], least: float, most: float, otherwise: str) -> float:
    """Return the number, or raise ArgumentTypeError with ``otherwise``."""
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is {otherwise}")
    return number


if __name__ == "__main__":
    configure_logs(Settings(log_level="error"))
    audit_log.setLevel("ERROR")  # it is kept at every log level; here a line for each order would be measured
    sys.exit(main())
