"""Orders for the contracts of storage, and how they get into it."""

from typing import Any

from orderflow.application.event_log.records import bucket_of
from orderflow.application.orders.change_order import ChangeOrder
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.idempotency import IdempotencyKey
from orderflow.application.orders.unit_of_work import WriteSetUnitOfWork
from orderflow.domain.order import Change, Order

from tests.unit.domain.actors import ADMIN, AT, place


def in_bucket(bucket: int, many: int) -> list[str]:
    """The ids of so many orders that share that bucket."""
    names = (f"M{number}" for number in range(100_000))
    return [name for name in names if bucket_of(name) == bucket][:many]


def unit_of_work(storage: Any) -> WriteSetUnitOfWork:
    return WriteSetUnitOfWork(committer=GroupCommit(storage.committer), read=storage.views.get)


async def commit(storage: Any, *changes: Change, idempotency: IdempotencyKey | None = None) -> None:
    """All ``changes`` in one unit of work, as orders that were not read in it."""
    async with unit_of_work(storage)(idempotency=idempotency) as work:
        for change in changes:
            work.orders.save(change.order)
            work.events.publish(*change.events)


async def placed(
    storage: Any, order_id: str = "O1", *, idempotency: IdempotencyKey | None = None, **asked: object
) -> Order:
    """A new order of C1 at R1, committed; ``asked`` overrides what Order.place takes."""
    change = place(id=order_id, **asked)
    await commit(storage, change, idempotency=idempotency)
    return change.order


async def assigned(storage: Any, order_id: str, shipper_id: str) -> Order:
    """The order as it is now with that shipper, committed; asked again when somebody else was faster."""
    changing = ChangeOrder(unit_of_work(storage))
    return (await changing(order_id, lambda o: o.assign_shipper(shipper_id, by=ADMIN, at=AT), by=ADMIN)).order


async def failed_payments(storage: Any, order_id: str, times: int) -> None:
    """So many events more in the order's bucket, each in a commit of its own."""
    changing = ChangeOrder(unit_of_work(storage))
    for _ in range(times):
        await changing(order_id, lambda o: o.record_payment(paid=False, by=ADMIN, at=AT), by=ADMIN)
