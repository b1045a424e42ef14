"""``day``: a day lived through the use-cases, one step after the other, against as many bare durable transactions."""

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any

import asyncpg
from orderflow.application.day.clock import VirtualClock
from orderflow.application.day.live import LiveDay, UseCaseDoor, VirtualPace
from orderflow.application.day.synthetic import synthesise
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from .finding import Effort, Finding, in_turn, rates, ratios
from .history import SEED
from .servers import Servers

ORDERS = 100
BODY = b"x" * 400
"""About as long as an event."""
MAKE = "CREATE TABLE bare (id {} PRIMARY KEY, body {} NOT NULL)"


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    return [
        await _on("SQLite", servers.sqlite(), _bare_sqlite, effort),
        await _on("PostgreSQL", servers.database(), _bare_postgresql, effort),
    ]


async def on_sqlite(servers: Servers, effort: Effort) -> list[Finding]:
    """SQLite alone, which needs no server."""
    return [await _on("SQLite", servers.sqlite(), _bare_sqlite, effort)]


async def _on(database: str, url: str, bare: Callable[[str, int], Awaitable[float]], effort: Effort) -> Finding:
    day, clock, turns = synthesise(effort.of(ORDERS), SEED), VirtualClock(), count()
    container = container_for(Settings(database_url=url), clock=clock)
    steps = 0
    async with opened(container):

        async def ours() -> float:
            nonlocal steps
            live = LiveDay(UseCaseDoor(container.use_cases()), VirtualPace(clock), prefix=f"turn{next(turns)}-")
            began = perf_counter()
            lived = await live(day)
            seconds = perf_counter() - began
            unfinished = sum(not outcome.state.terminal for outcome in lived.outcomes.values())
            if unfinished:
                raise RuntimeError(f"{unfinished} orders of the day did not end")
            steps = lived.steps
            return float(steps / seconds)

        async def peers() -> float:
            return await bare(url, steps)

        our, peer = await in_turn(effort, ours, peers)
    orders = [rate * len(day.orders) / steps for rate in our]
    aside = f"{rates('orders', day=orders)}, {rates('steps', day=our, transactions=peer)}"
    return Finding(what=f"day on {database} / bare transactions", values=ratios(our, peer), aside=aside)


async def _bare_sqlite(url: str, many: int) -> float:
    """Inserts a second, each durably committed, into a file of its own beside the day's."""
    connection = sqlite3.connect(f"{url.removeprefix('sqlite:///')}-bare.db", isolation_level=None)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute(MAKE.format("INTEGER", "BLOB"))
        insert = partial(connection.execute, "INSERT INTO bare (body) VALUES (?)", (BODY,))
        began = perf_counter()
        for _ in range(many):
            insert()
        return many / (perf_counter() - began)
    finally:
        connection.close()


async def _bare_postgresql(url: str, many: int) -> float:
    """Inserts a second, each durably committed, over one connection."""
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute("DROP TABLE IF EXISTS bare")
        await connection.execute(MAKE.format("bigint GENERATED ALWAYS AS IDENTITY", "bytea"))
        insert = await connection.prepare("INSERT INTO bare (body) VALUES ($1)")
        began = perf_counter()
        for _ in range(many):
            await insert.fetch(BODY)
        return many / (perf_counter() - began)
    finally:
        await connection.close()
