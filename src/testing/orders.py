"""Orders for the suites, and how they get into a storage."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, islice
from typing import Any

from ..application.event_log.records import bucket_of
from ..application.orders.change_order import ChangeOrder
from ..application.orders.group_commit import GroupCommit
from ..application.orders.idempotency import IdempotencyKey
from ..application.orders.ports import Transaction, UnitOfWork
from ..application.orders.unit_of_work import WriteSetUnitOfWork
from ..domain.actor import Actor, Role
from ..domain.events import OrderLine
from ..domain.money import Money
from ..domain.order import Change, Order
from ..domain.payment import PaymentMethod

AT = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
ADMIN = Actor(Role.ADMIN, "A1")
REASON = "changed my mind"


def eur(amount: str) -> Money:
    """Return an amount in euros."""
    return Money(Decimal(amount), "EUR")


def line(price: str = "12.50", quantity: int = 2, discount: str = "0", food_id: str = "food-001") -> OrderLine:
    """Return a line of pizzas."""
    return OrderLine(
        food_id=food_id, food_name="Pizza Margherita", price=eur(price), quantity=quantity, discount=eur(discount)
    )


def place(method: PaymentMethod = PaymentMethod.CASH, **changes: Any) -> Change:
    """Return a new order of C1 at R1, at AT, over 25.50 EUR with its fee.

    ``changes`` overrides what Order.place takes.
    """
    defaults: dict[str, Any] = {
        "id": "O1",
        "customer_id": "C1",
        "restaurant_id": "R1",
        "lines": (line(),),
        "payment_method": method,
        "card_token": None if method is PaymentMethod.CASH else "tok_visa",
        "at": AT,
        "currency": "EUR",
        "total": eur("25.50"),
    }
    return Order.place(**(defaults | changes))


def in_bucket(bucket: int, many: int) -> list[str]:
    """Return the ids of so many orders that share that bucket."""
    names = (f"M{number}" for number in count())
    return list(islice((name for name in names if bucket_of(name) == bucket), many))


def unit_of_work(storage: Any) -> WriteSetUnitOfWork:
    return WriteSetUnitOfWork(committer=GroupCommit(storage.committer), read=storage.views.get)


async def commit(storage: Any, *changes: Change, idempotency: IdempotencyKey | None = None) -> None:
    """Commit all ``changes`` in one unit of work, as orders that were not read in it."""
    await save(unit_of_work(storage), *changes, idempotency=idempotency)


async def save(work: UnitOfWork, *changes: Change, idempotency: IdempotencyKey | None = None) -> None:
    """Save and publish all ``changes`` in one unit of work, as orders that were not read in it."""
    async with work(idempotency=idempotency) as transaction:
        keep(transaction, *changes)


def keep(transaction: Transaction, *changes: Change) -> None:
    """Save and publish all ``changes`` in the transaction of a unit of work."""
    for change in changes:
        transaction.orders.save(change.order)
        transaction.events.publish(*change.events)


async def save_and_fail(work: UnitOfWork, change: Change) -> None:
    """Save and publish ``change`` in a unit of work that ends with ZeroDivisionError."""
    async with work() as transaction:
        keep(transaction, change)
        raise ZeroDivisionError


async def placed(
    storage: Any, order_id: str = "O1", *, idempotency: IdempotencyKey | None = None, **changes: Any
) -> Order:
    """Commit a new order of C1 at R1; ``changes`` overrides what Order.place takes."""
    change = place(id=order_id, **changes)
    await commit(storage, change, idempotency=idempotency)
    return change.order


async def assigned(storage: Any, order_id: str, shipper_id: str) -> Order:
    """Assign the shipper to the order as it is, again if another writer was faster."""
    changing = ChangeOrder(unit_of_work(storage))
    return (await changing(order_id, lambda o: o.assign_shipper(shipper_id, by=ADMIN, at=AT), by=ADMIN)).order


async def cancelled(storage: Any, order_id: str) -> None:
    """Cancel the order as it is."""
    await ChangeOrder(unit_of_work(storage))(order_id, lambda o: o.cancel(REASON, by=ADMIN, at=AT), by=ADMIN)


async def failed_payments(storage: Any, order_id: str, times: int) -> None:
    """Commit so many events more in the order's bucket, each in a commit of its own."""
    changing = ChangeOrder(unit_of_work(storage))
    for _ in range(times):
        await changing(order_id, lambda o: o.record_payment(paid=False, by=ADMIN, at=AT), by=ADMIN)
