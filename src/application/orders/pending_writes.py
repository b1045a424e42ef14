"""The write sets of several commands, kept until they are written together."""

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field

from ...domain.errors import ConcurrentChange
from ...domain.order import Order
from .write_set import WriteSet


@define(eq=False)
class PendingWrites:
    """A committer that only keeps what commands write, and a reader that finds it. ``read`` reads everything else.

    Its owner writes the ``sets``, which have no order and no attempt in common: an order that several commands
    change is in the first set, as the last command left it, at the version that the first one read.
    """

    read: Callable[[str], Awaitable[Order]]
    _sets: list[WriteSet] = field(factory=list, init=False)
    _orders: dict[str, WriteSet] = field(factory=dict, init=False)
    _attempts: dict[str, WriteSet] = field(factory=dict, init=False)

    @property
    def sets(self) -> Sequence[WriteSet]:
        """The writes that are pending, in the order of the commands."""
        return tuple(self._sets)

    async def get(self, order_id: str) -> Order:
        """Return the order as the commands so far left it. Raises what ``read`` raises."""
        if (writes := self._orders.get(order_id)) is not None:
            return writes.orders[order_id]
        return await self.read(order_id)

    async def commit(self, writes: WriteSet) -> None:
        """Keep ``writes``. Raises ConcurrentChange if another command has changed an order since it was read."""
        for order in writes.changed:
            pending = self._orders.get(order.id)
            if pending is not None and writes.expected[order.id] != pending.orders[order.id].version:
                raise ConcurrentChange(order.id, writes.expected[order.id])
        for order in writes.changed:
            first = self._orders.setdefault(order.id, writes)
            if first is not writes:
                first.orders[order.id] = writes.orders.pop(order.id)
        for key in [*writes.attempts]:
            first = self._attempts.setdefault(key, writes)
            if first is not writes:
                first.attempts[key] = writes.attempts.pop(key)
        self._sets.append(writes)
