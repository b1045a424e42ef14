"""``joining``: orders in transactions of an application, what they cost its other orders, and calls from threads."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter

from orderflow import OrderFlow
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .creating import new_order, rate
from .finding import Effort, Finding, in_turn, rates, ratios
from .servers import Servers

CALLERS, JOINERS, THREADS = 128, 16, 32
ORDERS = 1500
JOINED_A_SECOND = 50
IDLE_SECONDS = 0.02
RECEIPT = text("INSERT INTO receipts (note) VALUES (:note)")

Work = Callable[[int], Awaitable[object]]


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    return [*await _joining(servers, effort), *await _with_orders(servers, effort), await _threads(servers, effort)]


async def _joining(servers: Servers, effort: Effort) -> list[Finding]:
    """The same row and order of as many callers, in one transaction, and one after the other."""
    many = effort.of(ORDERS // 2, least=JOINERS)
    async with _application(servers.database()) as (flow, engine):

        async def apart(number: int) -> None:
            async with engine.begin() as connection:
                await connection.execute(RECEIPT, {"note": str(number)})
            await _create(flow)

        joined, separate = await in_turn(
            effort,
            lambda: rate(many, lambda number: _joined(flow, engine, number), JOINERS),
            lambda: rate(many, apart, JOINERS),
        )
    return [
        Finding(
            what=f"a row and an order, {JOINERS} callers: in one transaction / in two",
            values=ratios(joined, separate),
            aside=rates("orders", joined=joined, separate=separate),
        )
    ]


async def _with_orders(servers: Servers, effort: Effort) -> list[Finding]:
    """Orders of many callers, next to joined transactions that commit at once, and next to some that linger."""
    many = effort.of(4 * ORDERS, least=CALLERS)
    async with _application(servers.database()) as (flow, engine):

        async def turn(idle: float | None) -> float:
            async with _joiners(flow, engine, idle):
                return await rate(many, lambda _: _create(flow), CALLERS)

        alone, quick, slow = await in_turn(effort, *(partial(turn, idle) for idle in (None, 0.0, IDLE_SECONDS)))
    what = f"orders of {CALLERS} callers with {JOINED_A_SECOND} joined transactions a second"
    return [
        Finding(
            what=f"{what}{more} / alone",
            values=ratios(side, alone),
            aside=rates("orders", together=side, alone=alone),
        )
        for more, side in (("", quick), (f", held for {IDLE_SECONDS * 1000:g} ms", slow))
    ]


async def _threads(servers: Servers, effort: Effort) -> Finding:
    """Orders of so many threads through ``open_sync``, and of as many tasks."""
    many = effort.of(ORDERS, least=THREADS)
    sync_url, url = servers.database(), servers.database()
    sync = await asyncio.to_thread(OrderFlow.open_sync, sync_url)
    with ThreadPoolExecutor(THREADS) as threads:

        def work() -> float:
            began = perf_counter()
            for _ in threads.map(lambda _: sync.create_order(**ORDER), range(many)):
                pass
            return many / (perf_counter() - began)

        async with OrderFlow.open(url) as flow:
            by_threads, by_tasks = await in_turn(
                effort, lambda: asyncio.to_thread(work), lambda: rate(many, lambda _: _create(flow), THREADS)
            )
    await asyncio.to_thread(sync.close)
    return Finding(
        what=f"orders of {THREADS} threads (open_sync) / of {THREADS} tasks",
        values=ratios(by_threads, by_tasks),
        aside=rates("orders", threads=by_threads, tasks=by_tasks),
    )


ORDER = {"customer_id": "C1", "restaurant_id": "R1", "lines": new_order(0).lines, "currency": "USD"}


async def _create(flow: OrderFlow) -> object:
    return await flow.create_order(**ORDER)


async def _joined(flow: OrderFlow, engine: AsyncEngine, number: int, idle: float = 0.0) -> None:
    async with engine.begin() as connection:
        await connection.execute(RECEIPT, {"note": str(number)})
        async with flow.joining(connection) as orders:
            await orders.create_order(**ORDER)
        if idle:
            await asyncio.sleep(idle)


@asynccontextmanager
async def _joiners(flow: OrderFlow, engine: AsyncEngine, idle: float | None) -> AsyncIterator[None]:
    """Joined transactions at a steady rate inside; None for none."""

    async def steadily() -> None:
        async with asyncio.TaskGroup() as tasks:
            while idle is not None:
                tasks.create_task(_joined(flow, engine, 0, idle))
                await asyncio.sleep(1 / JOINED_A_SECOND)

    running = asyncio.create_task(steadily())
    yield
    running.cancel()
    await asyncio.wait([running])


@asynccontextmanager
async def _application(url: str) -> AsyncIterator[tuple[OrderFlow, AsyncEngine]]:
    engine = create_async_engine(f"postgresql+asyncpg:{url.partition(':')[2]}", pool_size=JOINERS, max_overflow=0)
    async with OrderFlow.open(url) as flow:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE receipts (id BIGSERIAL PRIMARY KEY, note TEXT)"))
        yield flow, engine
        await engine.dispose()
