"""``wakeup``: the delay until another process sees a commit, the cost of notifying it, and that of an idle poll."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from time import perf_counter
from typing import Any

import asyncpg
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.commit_notifications import CHANNEL
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.consuming.log_source import LogEventSource
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened
from sqlalchemy import text
from tests.support.stack import PROGRAM

from .creating import ADMIN, new_order, rate
from .finding import Effort, Finding, in_turn, rates, ratios
from .servers import Servers

COMMITS = 20
ORDERS = 1500
FEW, MANY = 1_000, 1_000_000
"""Events in the log."""
LOOKS = 300
READER = "bench"
SOONER, NOTIFIED_RATE, FLAT = 3.0, 0.9, 0.8
_ROW = (
    "{bucket}, {position}, 'order-' || {number}, 1, 'order.created', 'event-' || {number}, {now}, {body}, '', '', {now}"
)
_COLUMNS = (
    "bucket, position, order_id, sequence, type, event_id, occurred_at, body, correlation_id, traceparent, requested_at"
)


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    return [
        await _soon(servers, effort),
        await _notifying(servers, effort),
        await _idle("PostgreSQL", servers.database(), servers.database(), effort),
        await _idle("SQLite", servers.sqlite(), servers.sqlite(), effort),
    ]


async def _soon(servers: Servers, effort: Effort) -> Finding:
    """The same commits, seen by a process that is notified and by one that polls."""
    url = servers.database()
    took: tuple[list[float], list[float]] = ([], [])
    container = container_for(Settings(database_url=url))
    async with opened(container), _tail(url, "auto") as notified, _tail(url, "off") as polls:
        for turn in range(effort.pairs + 1):
            for number in range(effort.of(COMMITS, least=3)):
                await container.use_cases().create_order(new_order(number), by=ADMIN)
                seconds = await asyncio.gather(_seen(notified), _seen(polls))
                for each, all_of_them in zip(seconds, took, strict=True):
                    all_of_them.extend([each] if turn else [])
                await asyncio.sleep(0.013 * (number % 20))  # so that polls come at any moment between two commits
    many = len(took[0]) // effort.pairs
    turns = [[median(side[at : at + many]) for at in range(0, len(side), many)] for side in took]
    aside = ", ".join(
        f"{name} {median(side) * 1000:.1f} ms (longest {max(side) * 1000:.0f})"
        for name, side in zip(("notified", "polling every 250 ms"), took, strict=True)
    )
    what = "time to see a commit, polling / notified"
    return Finding(what=what, values=ratios(turns[1], turns[0]), floor=SOONER, aside=aside)


async def _notifying(servers: Servers, effort: Effort) -> Finding:
    """Orders created with commit notifications, which another process gets, and without."""
    sides, many = [servers.database(), servers.database()], effort.of(ORDERS)
    listening, still = (
        container_for(Settings(database_url=url, database_listen=listen))
        for url, listen in zip(sides, ("auto", "off"), strict=True)
    )
    async with opened(listening), opened(still), _listening(sides[0]):

        async def notifying() -> float:
            return await _create(listening, many)

        async def silent() -> float:
            return await _create(still, many)

        our, peer = await in_turn(effort, notifying, silent)
    aside = rates("orders", notifying=our, silent=peer)
    return Finding(what="create, notifying others / not", values=ratios(our, peer), floor=NOTIFIED_RATE, aside=aside)


async def _create(container: Any, many: int) -> float:
    create = container.use_cases().create_order
    return await rate(many, lambda number: create(new_order(number), by=ADMIN))


async def _idle(name: str, short: str, long: str, effort: Effort) -> Finding:
    """Looks for news where there is none, at a short and at a long log."""
    storages, sources = [], []
    for url, many in ((short, FEW), (long, effort.of(MANY, least=FEW))):
        storage = SqlStorage.at(url, pool_size=1)
        await storage.open()
        await _fill(storage, many)
        storages.append(storage)
        await storage.cursors.put(READER, await storage.log.heads())
        sources.append(
            LogEventSource(storage.log, storage.cursors, READER, LocalWakeup().listener(), poll_interval=0.0)
        )

    async def looks(source: LogEventSource) -> float:
        began = perf_counter()
        for _ in range(effort.of(LOOKS)):
            if await source.read(500):
                raise RuntimeError("there was news")
        return effort.of(LOOKS) / (perf_counter() - began)  # a read looks once, after its wait

    few, many_events = await in_turn(effort, lambda: looks(sources[0]), lambda: looks(sources[1]))
    for storage in storages:
        await storage.close()
    aside = rates("looks", **{f"{FEW:,} events": few, f"{effort.of(MANY, least=FEW):,} events": many_events})
    what = f"idle look on {name}, long log / short"
    return Finding(what=what, values=ratios(many_events, few), floor=FLAT, aside=aside)


async def _fill(storage: SqlStorage, many: int) -> None:
    """So many events, one of each order, in all buckets alike."""
    postgresql = storage.database.backend == "postgresql"
    row = _ROW.format(
        bucket="n % 256",
        position="n / 256 + 1",
        number="n",
        now="now()" if postgresql else "CURRENT_TIMESTAMP",
        body="convert_to(repeat('x', 300), 'UTF8')" if postgresql else "zeroblob(300)",
    )
    numbers = (
        f"generate_series(0, {many - 1}) AS n"
        if postgresql
        else f"(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {many - 1}) SELECT n FROM s)"
    )
    async with storage.database.writing() as connection:
        await connection.execute(text(f"INSERT INTO order_events ({_COLUMNS}) SELECT {row} FROM {numbers}"))
        heads = "SELECT coalesce(max(position), 0) FROM order_events WHERE order_events.bucket = log_heads.bucket"
        await connection.execute(text(f"UPDATE log_heads SET position = ({heads})"))


@asynccontextmanager
async def _tail(url: str, listen: str) -> AsyncIterator[asyncio.StreamReader]:
    """Yield the output of another process that prints a line for each event from now on."""
    environment = {"ORDERFLOW_DATABASE_URL": url, "ORDERFLOW_DATABASE_LISTEN": listen, "ORDERFLOW_LOG_LEVEL": "info"}
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        "events",
        "tail",
        "--from-beginning",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment | {"PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )
    if process.stdout is None:
        raise RuntimeError("a process without its output")
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def _seen(lines: asyncio.StreamReader) -> float:
    """Seconds until the next line."""
    began = perf_counter()
    if not await asyncio.wait_for(lines.readline(), 30):
        raise RuntimeError("the other process ended")
    return perf_counter() - began


@asynccontextmanager
async def _listening(url: str) -> AsyncIterator[None]:
    """Listen to the notifications of all commits, and ignore them."""
    connection = await asyncpg.connect(url)
    try:
        await connection.add_listener(CHANNEL, lambda *_: None)
        yield
    finally:
        await connection.close()
