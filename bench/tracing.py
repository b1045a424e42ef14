"""``tracing``: what a command costs with tracing off, on, and with its log line, against the bare use-case.

Processor time is measured, not the clock's: nothing here waits for anything.
"""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import process_time
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.telemetry.instrumented import (
    InstrumentedCommand,
    InstrumentedCommitter,
    Telemetry,
    commands,
)
from orderflow.adapters.telemetry.logs.formatter import LineFormatter
from orderflow.adapters.telemetry.tracing.tracing import Tracing
from orderflow.application.clock import utc_now
from orderflow.application.log_lines import log_each
from orderflow.application.orders.create_order import CreateOrder
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.ports import Committer
from orderflow.application.orders.unit_of_work import WriteSetUnitOfWork
from orderflow.entrypoints.wiring.storage_and_consumers import new_id

from .creating import ADMIN, new_order
from .finding import Effort, Finding, in_turn, rates, ratios
from .servers import Servers

ORDERS = 1000
CALLS = 10_000
EVENTS = 20_000
RELAY = 0.7
CEILING_US = 30.0
"""Microseconds of one command, on a machine that is not quiet either."""

Create = Callable[..., Awaitable[Any]]


async def measure(_: Servers, effort: Effort) -> list[Finding]:
    many = effort.of(ORDERS)
    recording = TracerProvider()
    recording.add_span_processor(SpanProcessor())  # takes all and sends nothing

    async def bare() -> float:
        return await _rate(many, _creating(lambda committer: committer))

    async def off() -> float:
        return await _rate(many, _traced(Tracing()))

    async def on() -> float:
        return await _rate(many, _traced(Tracing(recording)))

    async def logged() -> float:
        with _listening():
            return await _rate(many, _traced(Tracing()))

    bare_rate, off_rate, on_rate, logged_rate = await in_turn(effort, bare, off, on, logged)
    nothing, around = _nothing, InstrumentedCommand("nothing", _nothing, Telemetry(), new_id)
    spent = [await _call(effort, around) - await _call(effort, nothing) for _ in range(effort.pairs)]
    aside = rates("orders", bare=bare_rate, off=off_rate)
    return [
        Finding(what="tracing off / bare", values=ratios(off_rate, bare_rate), floor=RELAY, aside=aside),
        Finding(what="  what is around a command then", values=spent, unit="us", ceiling=CEILING_US),
        Finding(what="  tracing on / bare", values=ratios(on_rate, bare_rate), aside=rates("orders", on=on_rate)),
        Finding(what="  off, with its log line / bare", values=ratios(logged_rate, bare_rate)),
        Finding(what="  a line of a handled event", values=[_line(effort) for _ in range(effort.pairs)], unit="us"),
    ]


def _creating(around: Callable[[Committer], Committer]) -> Create:
    storage = MemoryStorage()
    work = WriteSetUnitOfWork(committer=around(GroupCommit(storage.committer)), read=storage.views.get)
    return CreateOrder(work, utc_now, new_id)


def _traced(tracing: Tracing) -> Create:
    telemetry = Telemetry(tracing=tracing)
    create = _creating(lambda committer: InstrumentedCommitter(committer, telemetry))
    return InstrumentedCommand("create_order", create, telemetry, new_id)


async def _rate(many: int, create: Create) -> float:
    """Orders a second, one after the other."""
    orders = [new_order(number) for number in range(many)]
    began = process_time()
    for order in orders:
        await create(order, by=ADMIN)
        await asyncio.sleep(0)
    return many / (process_time() - began)


async def _nothing() -> None:
    """Do nothing."""


async def _call(effort: Effort, call: Callable[[], Awaitable[None]]) -> float:
    """Microseconds of one call."""
    calls = effort.of(CALLS)
    began = process_time()
    for _ in range(calls):
        await call()
    return (process_time() - began) * 1e6 / calls


def _line(effort: Effort) -> float:
    """Microseconds of one line, of those that a batch of 500 writes at once."""
    lines = [{"correlation_id": "k" * 36, "trace_id": "t" * 32, "order_id": f"o{number}"} for number in range(500)]
    batches = effort.of(EVENTS // 500)
    with _listening():
        began = process_time()
        for _ in range(batches):
            log_each(commands, logging.INFO, "handled", lines)
        return (process_time() - began) * 1e6 / (batches * 500)


@contextmanager
def _listening() -> Iterator[None]:
    """Lines of commands are written, to memory."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(LineFormatter())
    level, propagate = commands.level, commands.propagate
    commands.addHandler(handler)
    commands.setLevel(logging.INFO)
    commands.propagate = False
    try:
        yield
    finally:
        commands.removeHandler(handler)
        commands.setLevel(level)
        commands.propagate = propagate
