"""Conflicts that prevent a commit."""

from collections.abc import Collection

from attrs import frozen

from ....application.orders.write_set import WriteSet
from ....domain.errors import ConcurrentChange, Conflict, RequestAnswered


@frozen
class Conflicts:
    """Idempotency keys, as (caller, key), that have a response, and orders that are at another version."""

    keys: Collection[tuple[str, str]] = ()
    orders: Collection[str] = ()

    def __bool__(self) -> bool:
        return bool(self.keys or self.orders)

    def refusal(self, writes: WriteSet) -> Conflict | None:
        """Return the refusal of ``writes``; None if it has no conflict."""
        key = writes.idempotency
        if key is not None and (key.caller, key.key) in self.keys:
            return RequestAnswered(key.key)
        for order in writes.changed:
            if order.id in self.orders:
                return ConcurrentChange(order.id, writes.expected[order.id])
        return None
