"""A process that writes orders to a SQLite file until it is killed, and says what was acknowledged: URL NAME."""

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from orderflow.adapters.sql import SqlStorage
from orderflow.application.orders.change_order import ChangeOrder
from orderflow.application.orders.create_order import CreateOrder, NewOrder
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.unit_of_work import WriteSetUnitOfWork
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import ConcurrentChange, OrderExists, Unavailable
from orderflow.domain.events import OrderLine
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentMethod

ADMIN = Actor(Role.ADMIN, "boss")
HOT = ("hot-1", "hot-2", "hot-3")
"""Orders that every process changes."""
AT_ONCE = 4


def new_order(order_id: str) -> NewOrder:
    price = Money(Decimal("12.50"), "EUR")
    line = OrderLine(food_id="F1", food_name="Pho", price=price, quantity=2, discount=Money.zero("EUR"))
    return NewOrder(
        order_id=order_id,
        customer_id="C1",
        restaurant_id="R1",
        lines=[line],
        payment_method=PaymentMethod.CASH,
        currency="EUR",
    )


def now() -> datetime:
    return datetime.now(UTC)


async def main(url: str, name: str) -> None:
    storage = SqlStorage.at(url, pool_size=AT_ONCE)
    await storage.open()
    work = WriteSetUnitOfWork(committer=GroupCommit(storage.committer), read=storage.views.get)
    create, changing = CreateOrder(work, now, str), ChangeOrder(work)

    async def pay(order_id: str) -> None:
        change = await changing(order_id, lambda o: o.record_payment(paid=False, by=ADMIN, at=now()), by=ADMIN)
        say(order_id, change.order.version)

    async def write() -> None:
        for number in numbers:
            order_id = f"{name}-{number}"
            try:
                say(order_id, (await create(new_order(order_id), by=ADMIN)).version)
                await pay(order_id)
                await pay(HOT[number % len(HOT)])
            except (ConcurrentChange, Unavailable):
                continue  # others were faster, or the file was busy: nothing was acknowledged

    numbers = count()
    for order_id in HOT:
        try:
            await create(new_order(order_id), by=ADMIN)
        except OrderExists:
            continue  # another process, or the one before this, has made it
    await asyncio.gather(*(write() for _ in range(AT_ONCE)))


def say(order_id: str, version: int) -> None:
    """One write to the end of a file: it is there, or it is not, whenever the process dies."""
    sys.stdout.write(f"{order_id} {version}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
