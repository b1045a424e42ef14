"""``day``: a simulated day through the use-cases, step by step, against as many bare durable transactions."""

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any

import asyncpg
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.simulation.clock import VirtualClock
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.run_day import InProcessOrderClient, RunDay, VirtualPace
from orderflow.entrypoints.wiring.lifespan import opened

from .finding import Effort, Finding, in_turn, rates, ratios
from .history import SEED
from .servers import Servers

ORDERS = 100
BODY = b"x" * 400
"""About the size of an event."""
MAKE = "CREATE TABLE bare (id {} PRIMARY KEY, body {} NOT NULL)"


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    return [
        await _on("SQLite", servers.sqlite(), _bare_sqlite, effort),
        await _on("PostgreSQL", servers.database(), _bare_postgresql, effort),
    ]


async def on_sqlite(servers: Servers, effort: Effort) -> list[Finding]:
    """Measure on SQLite alone, which needs no server."""
    return [await _on("SQLite", servers.sqlite(), _bare_sqlite, effort)]


async def _on(database: str, url: str, bare: Callable[[str, int], Awaitable[float]], effort: Effort) -> Finding:
    day, clock, turns = generate_day(effort.of(ORDERS), SEED), VirtualClock(), count()
    container = container_for(Settings(database_url=url, payment_gateway="sandbox"), clock=clock)
    steps = 0
    async with opened(container):

        async def ours() -> float:
            nonlocal steps
            client, prefix = InProcessOrderClient(container.use_cases()), f"turn{next(turns)}-"
            run_day = RunDay(client, VirtualPace(clock), prefix=prefix)
            began = perf_counter()
            result = await run_day(day)
            seconds = perf_counter() - began
            unfinished = sum(not outcome.state.terminal for outcome in result.outcomes.values())
            if unfinished:
                raise RuntimeError(f"{unfinished} orders of the day did not end")
            steps = result.steps
            return float(steps / seconds)

        async def peers() -> float:
            return await bare(url, steps)

        our, peer = await in_turn(effort, ours, peers)
    orders = [rate * len(day.orders) / steps for rate in our]
    aside = f"{rates('orders', day=orders)}, {rates('steps', day=our, transactions=peer)}"
    return Finding(what=f"day on {database} / bare transactions", values=ratios(our, peer), aside=aside)


async def _bare_sqlite(url: str, many: int) -> float:
    """Measure inserts per second, each committed durably, in another file next to the day's database."""
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
    """Measure inserts per second, each committed durably, over one connection."""
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
