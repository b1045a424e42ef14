"""An order repository of your own: each order is a row of JSON in SQLite, with nothing but Python's own driver.

The use-cases need no more than a unit of work that has it:

    work = JsonUnitOfWork("orders.db")
    create_order = CreateOrder(work, clock, new_id)

It keeps orders, and no event log: relay and consumers need a storage as a whole (docs/extending.md).
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from attrs import Factory, define
from orderflow import ConcurrentChange, Order, OrderEvent, OrderNotFound


@define
class JsonOrders:
    """The orders of one unit of work: read when they are asked for, written when it commits."""

    database: sqlite3.Connection
    read: dict[str, int] = Factory(dict)
    saved: dict[str, Order] = Factory(dict)

    async def get(self, order_id: str) -> Order:
        key = order_id.encode(errors="surrogatepass")
        row = self.database.execute("SELECT body FROM orders WHERE id = ?", (key,)).fetchone()
        if row is None:
            raise OrderNotFound(order_id)
        order = msgspec.json.decode(row[0], type=Order)
        self.read[order.id] = order.version
        return order

    def save(self, order: Order) -> None:
        self.saved[order.id] = order

    def write(self) -> None:
        for order in self.saved.values():
            values = {"id": order.id.encode(), "body": msgspec.json.encode(order), "version": order.version}
            if before := self.read.get(order.id, 0):
                change = "UPDATE orders SET body = :body, version = :version WHERE id = :id AND version = :before"
            else:
                change = "INSERT OR IGNORE INTO orders (id, body, version) VALUES (:id, :body, :version)"
            if self.database.execute(change, values | {"before": before}).rowcount != 1:
                raise ConcurrentChange(order.id, before)


@define
class Events:
    """An event publisher, too: ``published`` has the events of committed units of work."""

    published: list[OrderEvent]
    pending: list[OrderEvent] = Factory(list)

    def publish(self, *events: OrderEvent) -> None:
        self.pending.extend(events)


@define
class JsonTransaction:
    orders: JsonOrders
    events: Events


class JsonUnitOfWork:
    def __init__(self, file: str | Path) -> None:
        self.database = sqlite3.connect(file, isolation_level=None)
        self.database.execute("CREATE TABLE IF NOT EXISTS orders (id BLOB PRIMARY KEY, body BLOB, version INT)")
        self.published: list[OrderEvent] = []

    @asynccontextmanager
    async def __call__(self, *, idempotency: object = None) -> AsyncIterator[JsonTransaction]:
        """Commit at the end, in one transaction; an exception inside changes nothing."""
        work = JsonTransaction(JsonOrders(self.database), Events(self.published))
        yield work
        self.database.execute("BEGIN IMMEDIATE")
        try:
            work.orders.write()
        except ConcurrentChange:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")
        self.published.extend(work.events.pending)
