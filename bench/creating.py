"""``create``: orders placed through the use-case, against the same with a commit each, and against pgbench.

``create-sqlite`` is the same on SQLite, and ``change`` assigns shippers. Every side begins with plain values, validates
them, and asserts that its tables have as many rows as it had successes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from time import perf_counter
from typing import Any

import asyncpg
from attrs import define, field
from orderflow.adapters.sql import SqlStorage
from orderflow.application.orders.create_order import NewOrder
from orderflow.application.orders.use_cases import UseCases
from orderflow.domain.actor import Actor, Role
from orderflow.domain.events import OrderLine
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentMethod
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened
from sqlalchemy import text

from .finding import Effort, Finding, in_turn, rates, ratios
from .machine import Usage
from .peers import pgbench, placing
from .servers import Servers

CALLERS = 128
CONNECTIONS = 10
PGBENCH_CLIENTS = 32
"""More take longer here: PostgreSQL has a process for each."""
BATCH = 64
ORDERS = 1500
ADMIN = Actor(Role.ADMIN, "bench")

Create = Callable[[int], Awaitable[object]]


@define
class Side:
    """Does the ``work`` of one order, of so many ``callers``; ``many`` in a turn. ``rows`` counts what is stored."""

    name: str
    work: Create
    many: int
    callers: int
    rows: Callable[[], Awaitable[int]]
    done: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)

    async def turn(self) -> float:
        before = Usage.now()
        found = await rate(self.many, self.work, self.callers)
        self.seconds += Usage.now().own - before.own
        self.done += self.many
        return found

    async def check(self) -> None:
        if (stored := await self.rows()) != self.done:
            raise RuntimeError(f"{self.name}: {self.done} successes, {stored} rows")

    @property
    def cost(self) -> float:
        """Microseconds of processor time for an order, of the client and the server."""
        return self.seconds / self.done * 1e6


@define
class PgbenchSide(Side):
    """pgbench with so many ``batch`` orders in a transaction."""

    run: Callable[[int], Awaitable[float]] = field(kw_only=True)
    batch: int = field(kw_only=True)

    async def turn(self) -> float:
        before = Usage.now()
        transactions = max(1, self.many // self.batch // self.callers) * self.callers
        found = await self.run(transactions) * self.batch
        self.seconds += Usage.now().own - before.own
        self.done += transactions * self.batch
        return found


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    return [
        *await _creating(servers, effort, callers=CALLERS),
        *await _creating(servers, effort, callers=1),
    ]


async def _creating(servers: Servers, effort: Effort, *, callers: int) -> list[Finding]:
    many = effort.of(ORDERS if callers > 1 else ORDERS // 5, least=callers)
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(_ours(servers.database(), "orderflow", 4 * many, callers))
        orm_url, core_url = servers.empty_database(), servers.empty_database()
        orm, _ = await stack.enter_async_context(placing.orm(orm_url, CONNECTIONS))
        core = await stack.enter_async_context(placing.core(core_url, CONNECTIONS))
        clients = min(callers, PGBENCH_CLIENTS)
        sides = [
            ours,
            _peer("ORM", orm, orm_url, many, callers),
            _peer("Core", core, core_url, many, callers),
            await _pgbench(servers, "pgbench", 4 * many, clients, 1),
            *([await _pgbench(servers, "pgbench batched", 16 * many, 1, BATCH)] if callers > 1 else []),
        ]
        turns = await _in_turn(effort, sides)
    us = f"{callers} callers" if callers > 1 else "1 caller"
    floors = {"ORM": 6.0, "pgbench": 0.9} if callers > 1 else {"ORM": 1.0}
    return _findings(f"create, {us}", sides, turns, floors)


async def measure_sqlite(servers: Servers, effort: Effort) -> list[Finding]:
    """Measure on SQLite, which needs no server. The peer has one connection: more would only wait for each other."""
    many = effort.of(ORDERS // 2, least=CALLERS)
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(_ours(servers.sqlite(), "orderflow", 8 * many, CALLERS))
        url = f"sqlite:///{servers.folder() / 'peer.db'}"
        orm, _ = await stack.enter_async_context(placing.orm(url, 1))
        sides = [ours, _peer("ORM", orm, url, many, CALLERS)]
        turns = await _in_turn(effort, sides)
    return _findings(f"create on SQLite, {CALLERS} callers", sides, turns, {"ORM": 8.0})


async def measure_change(servers: Servers, effort: Effort) -> list[Finding]:
    """Assign shippers, which moves the orders to their next state: a read, a write, and two events each."""
    many = effort.of(ORDERS, least=CALLERS)
    turns = 2 * effort.pairs + 1
    async with AsyncExitStack() as stack:
        container = container_for(Settings(database_url=servers.database()))
        await stack.enter_async_context(opened(container))
        cases, storage = container.use_cases(), container.storage()
        waiting = iter(await _made(4 * many * turns, lambda n: _place(cases, n)))

        async def assign(_: int) -> object:
            return await cases.assign_shipper(next(waiting), "S1", by=ADMIN)

        url = servers.empty_database()
        place, peer_assign = await stack.enter_async_context(placing.orm(url, CONNECTIONS))
        peers_waiting = iter(await _made(many * turns, lambda n: place(plain(n))))

        async def peers(_: int) -> object:
            return await peer_assign(next(peers_waiting), "S1")

        assigned = "SELECT count(*) FROM orders WHERE state = 'preparing'"
        sides = [
            Side("orderflow", assign, 4 * many, CALLERS, lambda: _counted(storage, assigned)),
            Side("ORM", peers, many, CALLERS, lambda: _counted_at(url, assigned)),
        ]
        found = await _in_turn(effort, sides)
    return _findings(f"change, {CALLERS} callers", sides, found, {"ORM": 5.0})


async def _in_turn(effort: Effort, sides: list[Side]) -> list[list[float]]:
    """Return the rates of each side. Raises RuntimeError if one has stored more or less than it says."""
    turns = await in_turn(effort, *(side.turn for side in sides))
    for side in sides:
        await side.check()
    return turns


def _findings(what: str, sides: list[Side], turns: list[list[float]], floors: Mapping[str, float]) -> list[Finding]:
    ours, *peers = sides
    found = []
    for peer, rate in zip(peers, turns[1:], strict=True):
        aside = rates("orders", **{ours.name: turns[0], peer.name.replace(" ", "_"): rate})
        found.append(
            Finding(
                what=f"{what} / {peer.name}",
                values=ratios(turns[0], rate),
                floor=floors.get(peer.name),
                aside=f"{aside}; {ours.cost:.0f} against {peer.cost:.0f} us of processor time an order",
            )
        )
    return found


@asynccontextmanager
async def _ours(url: str, name: str, many: int, callers: int) -> AsyncIterator[Side]:
    container = container_for(Settings(database_url=url))
    async with opened(container):
        cases, storage = container.use_cases(), container.storage()
        yield Side(
            name,
            lambda number: cases.create_order(new_order(number), by=ADMIN),
            many,
            callers,
            lambda: _counted(storage, "SELECT count(*) FROM orders JOIN order_events ON order_id = orders.id"),
        )


def _peer(name: str, place: placing.Place, url: str, many: int, callers: int) -> Side:
    stored = "SELECT count(*) FROM orders JOIN order_events ON order_id = orders.id"
    return Side(name, lambda number: place(plain(number)), many, callers, lambda: _counted_at(url, stored))


async def _pgbench(servers: Servers, name: str, many: int, clients: int, batch: int) -> Side:
    url, script = servers.database(), pgbench.script(servers.folder(), rows=batch)
    connection: Any = await asyncpg.connect(url)
    await connection.execute(f"CREATE SEQUENCE {pgbench.SEQUENCE} CACHE 100")
    await connection.close()

    async def run(transactions: int) -> float:
        return await pgbench.run(url, script, clients=clients, transactions=transactions)

    async def stored() -> int:
        return min([await _counted_at(url, f"SELECT count(*) FROM {table}") for table in ("orders", "order_events")])

    return PgbenchSide(name, plain_create, many, clients, stored, run=run, batch=batch)


async def plain_create(_: int) -> object:
    """Fail, as pgbench creates by itself."""
    raise NotImplementedError


async def rate(many: int, create: Create, callers: int = CALLERS) -> float:
    """Orders a second, with the callers taking turns at one pile of work."""
    numbers = iter(range(many))

    async def caller(numbers: Iterator[int]) -> None:
        for number in numbers:
            await create(number)

    began = perf_counter()
    await asyncio.gather(*[caller(numbers) for _ in range(callers)])
    return many / (perf_counter() - began)


async def _made(many: int, place: Callable[[int], Awaitable[str]]) -> list[str]:
    made: list[str] = []

    async def one(number: int) -> None:
        made.append(await place(number))

    await rate(many, one)
    return made


async def _place(cases: UseCases, number: int) -> str:
    return (await cases.create_order(new_order(number), by=ADMIN)).id


async def _counted(storage: Any, question: str) -> int:
    assert isinstance(storage, SqlStorage)
    [[found]] = await storage.database.rows(text(question))
    return int(found)


async def _counted_at(url: str, question: str) -> int:
    engine = placing.engine_at(url, 1)
    async with engine.connect() as connection:
        found = await connection.scalar(text(question))
    await engine.dispose()
    return int(found)


def plain(number: int) -> dict[str, Any]:
    """The same order as ``new_order``, as it comes from JSON."""
    lines = [
        {"foodId": f"F{n}", "foodName": f"Dish {n}", "price": "12.50", "quantity": n, "discount": "0.50"}
        for n in (1, 2)
    ]
    return {
        "userId": f"C{number % 997}",
        "restaurantId": f"R{number % 97}",
        "orderDetails": lines,
        "paymentMethod": "cash",
        "currency": "USD",
    }


def _lines() -> tuple[OrderLine, ...]:
    return tuple(
        OrderLine(
            food_id=f"F{number}",
            food_name=f"Dish {number}",
            price=Money(Decimal("12.50"), "USD"),
            quantity=number,
            discount=Money(Decimal("0.50"), "USD"),
        )
        for number in (1, 2)
    )


def new_order(number: int) -> NewOrder:
    return NewOrder(
        customer_id=f"C{number % 997}",
        restaurant_id=f"R{number % 97}",
        lines=_lines(),
        payment_method=PaymentMethod.CASH,
        currency="USD",
    )
