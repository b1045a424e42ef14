"""Conflicts that prevent a commit."""

from collections.abc import Collection

from attrs import frozen

from ....application.orders.write_set import WriteSet
from ....domain.errors import ConcurrentChange, Conflict, RequestAnswered


@frozen
class Conflicts:
    """The conflicts of a commit.

    They are idempotency keys, as (caller, key), that have a response, orders that are at another version, and keys of
    payment attempts about which a person has decided already.
    """

    keys: Collection[tuple[str, str]] = ()
    orders: Collection[str] = ()
    attempts: Collection[str] = ()

    def __bool__(self) -> bool:
        return bool(self.keys or self.orders or self.attempts)

    def refusal(self, writes: WriteSet) -> Conflict | None:
        """Return the refusal of ``writes``; None if it has no conflict."""
        key = writes.idempotency
        if key is not None and (key.caller, key.key) in self.keys:
            return RequestAnswered(key.key)
        for order in writes.changed:
            if order.id in self.orders:
                return ConcurrentChange(order.id, writes.expected[order.id])
        for attempt in writes.attempts.values():
            if attempt.key in self.attempts:
                return ConcurrentChange(attempt.order_id, writes.expected.get(attempt.order_id, 0))
        return None
