"""Following the events of one order."""

from collections.abc import AsyncGenerator

from attrs import frozen

from ...domain.actor import Actor, Role
from ..event_log.ports import EventLog
from ..event_log.records import LogRecord
from ..orders.get_order import GetOrder
from .feed import LogFeed


@frozen
class FollowOrder:
    """Yields the events of an order after number ``after``, and each new one, until the order has its last.

    A shipper that loses the order gets the event by which it does, and that is its last.
    """

    feed: LogFeed
    get_order: GetOrder
    log: EventLog

    async def __call__(self, order_id: str, *, by: Actor, after: int, tick: float) -> AsyncGenerator[LogRecord | None]:
        """Yield records; None after ``tick`` seconds without one. Raises OrderNotFound, StreamEnded, Unavailable.

        Neither the order nor decoded events are kept while nothing happens: each garbage collection would look through
        those of thousands of streams.
        """
        async with self.feed.subscription(("order", order_id), lambda _: True) as subscription:
            async with self.feed.turns:
                end = await self._end(order_id, by)
                history = await self.log.history(order_id)
            for record in history:
                if record.sequence > after:
                    after = record.sequence
                    yield record
            while after < end:
                change = await subscription.next(tick)
                if change is None:
                    yield None
                    continue
                if change.record.sequence <= after:
                    continue
                if by.role is Role.SHIPPER and by.id not in change.shippers:
                    return
                after = change.record.sequence
                yield change.record
                if by.role is Role.SHIPPER and by.id != change.shippers.after:
                    return
                if change.order.state.terminal:
                    end = change.order.version

    async def _end(self, order_id: str, by: Actor) -> float:
        """Return the number of the last event that the order can have."""
        order = await self.get_order(order_id, by=by)
        return order.version if order.state.terminal else float("inf")
