"""Changing an order: read it, apply a behaviour, save it with its events."""

from collections.abc import Callable

from attrs import frozen

from ...domain.actor import Actor, check_actor
from ...domain.errors import OrderNotFound, VersionMismatch
from ...domain.order import Change, Order
from .idempotency import IdempotencyKey
from .ports import Transaction, UnitOfWork
from .retry import retry_on_conflict


@frozen
class ChangeOrder:
    """Applies a behaviour to the current order; retried after a write conflict.

    An actor that has no part in the order does not find it, except a shipper who takes for itself an order that waits
    for one; ``claim`` is the shipper that the command would assign. ``expected_version``, if given, must be the
    order's: it is the version that the caller decided upon. ``also`` adds to the same unit of work, which stores the
    response under ``idempotency``, if it is given. Raises OrderNotFound, VersionMismatch, CommandRefused,
    InvalidInput, ConcurrentChange (after ATTEMPTS conflicts), StorageUnavailable.
    """

    unit_of_work: UnitOfWork

    async def __call__(
        self,
        order_id: str,
        behaviour: Callable[[Order], Change],
        *,
        by: Actor,
        claim: str | None = None,
        expected_version: int | None = None,
        idempotency: IdempotencyKey | None = None,
        also: Callable[[Transaction, Change], None] | None = None,
    ) -> Change:
        check_actor(by)

        async def attempt() -> Change:
            async with self.unit_of_work(idempotency=idempotency) as work:
                order = await work.orders.get(order_id)
                if not (order.visible_to(by) or (claim == by.id and order.claimable_by(by))):
                    raise OrderNotFound(order_id)
                if expected_version is not None and expected_version != order.version:
                    raise VersionMismatch(order_id, expected_version, order.version)
                change = behaviour(order)
                work.orders.save(change.order)
                work.events.publish(*change.events)
                if also is not None:
                    also(work, change)
            return change

        return await retry_on_conflict(attempt)
