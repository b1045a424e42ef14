"""``growth``: creating orders, polling and reading timelines, with 0, 1 and 5 million events (PostgreSQL).

The first database has one order in each bucket, so that all have the same number of counters.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import asyncpg
from attrs import define, field
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.consuming.log_source import LogEventSource
from orderflow.application.event_log.records import BUCKETS
from orderflow.domain.lifecycle import OrderState
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from .creating import ADMIN, CALLERS, new_order, rate
from .finding import Effort, Finding, in_turn, rates, ratios
from .machine import Usage
from .servers import Servers

MILLION = 1_000_000
SIZES = (0, 1, 5)
EVENTS = 5
"""Events of an order, from its creation to its delivery."""
ORDERS, LOOKS, TIMELINES = 4000, 500, 1500
FLAT = 0.9
RECENT = 1000
READER = "bench"
_COPIED = "bench_order"


@define
class History:
    """An open database with so many ``events``, and the operations that are measured on it."""

    events: int
    container: Any
    orders: int
    seconds: dict[str, float] = field(factory=dict, init=False)
    done: dict[str, int] = field(factory=dict, init=False)

    def turn(self, name: str, work: Callable[[int], Awaitable[object]], many: int, callers: int) -> Any:
        """Return a turn of so many times ``work``."""

        async def measured() -> float:
            before = Usage.now()
            found = await rate(many, work, callers)
            self.seconds[name] = self.seconds.get(name, 0.0) + Usage.now().own - before.own
            self.done[name] = self.done.get(name, 0) + many
            return found

        return measured

    def cost(self, name: str) -> float:
        """Microseconds of processor time for each, of the client and the server."""
        return self.seconds[name] / self.done[name] * 1e6

    async def create(self, number: int) -> object:
        return await self.container.use_cases().create_order(new_order(number), by=ADMIN)

    async def timeline(self, number: int) -> object:
        """Read the history of one of the last orders: those are what people ask about."""
        chosen = self.orders - 1 - Random(number).randrange(min(self.orders, RECENT))
        found = await self.container.use_cases().timeline(order_id(chosen), by=ADMIN)
        if len(found) != EVENTS:
            raise RuntimeError(f"order {chosen} has {len(found)} events")
        return found

    async def look(self) -> Callable[[int], Awaitable[object]]:
        """Return a look for news, of which there is none."""
        storage = self.container.storage()
        await storage.cursors.put(READER, await storage.log.heads())
        source = LogEventSource(storage.log, storage.cursors, READER, LocalWakeup().listener(), poll_interval=0.0)

        async def look(_: int) -> object:
            if await source.read(500):
                raise RuntimeError("there was news")
            return None

        return look


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    async with AsyncExitStack() as stack:
        histories = []
        for millions in SIZES:
            url, events = servers.database(), effort.of(millions * MILLION)
            container = container_for(Settings(database_url=url))
            await stack.enter_async_context(opened(container))
            orders = max(events // EVENTS, BUCKETS)
            await _fill(url, container, orders)
            histories.append(History(orders * EVENTS, container, orders))
        looks = [await it.look() for it in histories]
        found = []
        for name, turns in (
            ("idle poll", [it.turn("idle poll", looks[n], effort.of(LOOKS), 1) for n, it in enumerate(histories)]),
            ("timeline", [it.turn("timeline", it.timeline, effort.of(TIMELINES), 8) for it in histories]),
            ("create", [it.turn("create", it.create, effort.of(ORDERS, least=CALLERS), CALLERS) for it in histories]),
        ):
            found += _compared(name, histories, await in_turn(effort, *turns))
    return found


def _compared(name: str, histories: Sequence[History], found: Sequence[Sequence[float]]) -> list[Finding]:
    empty, *longer = histories
    return [
        Finding(
            what=f"{name}, {history.events:,} events / {empty.events:,}",
            values=ratios(seen, found[0]),
            floor=FLAT,
            aside=rates("times", **{f"{history.events:,}": seen, f"{empty.events:,}": found[0]})
            + f"; {history.cost(name):.0f} against {empty.cost(name):.0f} us of processor time each",
        )
        for history, seen in zip(longer, found[1:], strict=True)
    ]


def order_id(number: int) -> str:
    """The id of a copied order. They ascend, as UUIDv7 does."""
    return f"019{number:033d}"


async def _fill(url: str, container: Any, orders: int) -> None:
    """Live one order, and have the server copy it. Indexes are made anew at the end, which is quicker."""
    cases = container.use_cases()
    order = await cases.create_order(new_order(0), by=ADMIN)
    await cases.assign_shipper(order.id, "S1", by=ADMIN)
    for state in (OrderState.ON_THE_WAY, OrderState.DELIVERED):
        await cases.transition_order_state(order.id, state, by=ADMIN)
    connection: Any = await asyncpg.connect(url)
    try:
        await _copy(connection, order.id, orders)
    finally:
        await connection.close()


async def _copy(connection: Any, lived: str, orders: int) -> None:
    await connection.execute(
        f"CREATE TEMP TABLE {_COPIED}_events AS SELECT * FROM order_events WHERE order_id = '{lived}' "
        f"ORDER BY sequence LIMIT {EVENTS};"
        f"CREATE TEMP TABLE {_COPIED} AS SELECT * FROM orders WHERE id = '{lived}';"
        "DELETE FROM order_events; DELETE FROM orders;"
        "CREATE TEMP TABLE made AS SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' "
        "AND tablename IN ('orders', 'order_events') AND indexname NOT IN "
        "(SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u'))"
    )
    made = [row["indexdef"] for row in await connection.fetch("SELECT indexdef FROM made")]
    for definition in made:
        await connection.execute(f"DROP INDEX {definition.split()[2]}")
    at = "timestamptz '2026-01-01' + n * interval '1 second'"
    new_id = "'019' || lpad(n::text, 33, '0')"
    await _insert(
        connection,
        "orders",
        _COPIED,
        orders,
        {
            "id": new_id,
            "created_at": at,
            "updated_at": at,
            "customer_id": "'C' || n % 99991",
            "restaurant_id": "'R' || n % 997",
        },
    )
    event_id = f"md5({new_id} || it.sequence)"
    body = f"replace(replace(convert_from(it.body, 'UTF8'), it.order_id, {new_id}), it.event_id, {event_id})"
    await _insert(
        connection,
        "order_events",
        f"{_COPIED}_events",
        orders,
        {
            "bucket": "n % 256",
            "position": f"n / 256 * {EVENTS} + it.sequence",
            "order_id": new_id,
            "event_id": event_id,
            "body": f"convert_to({body}, 'UTF8')",
        },
    )
    for definition in made:
        await connection.execute(definition)
    await connection.execute(
        "UPDATE log_heads SET position = "
        "(SELECT coalesce(max(position), 0) FROM order_events WHERE order_events.bucket = log_heads.bucket)"
    )
    await connection.execute("VACUUM ANALYZE", timeout=3600)
    await connection.execute("CHECKPOINT", timeout=3600)


async def _insert(connection: Any, table: str, copied: str, orders: int, changed: dict[str, str]) -> None:
    names = [row["attname"] for row in await connection.fetch(_NAMES, table)]
    values = ", ".join(changed.get(name, f"it.{name}") for name in names)
    rows = f"generate_series(0, {orders - 1}) AS n, {copied} AS it"
    await connection.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {rows}",
        timeout=3600,
    )


_NAMES = "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
