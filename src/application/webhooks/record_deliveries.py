"""The consumer *webhooks*, which records a delivery of each event for each endpoint that wants it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic

from attrs import define, field, frozen

from ...domain.errors import Unavailable
from ..event_log.ports import Cursors
from ..event_log.records import Delivery, LogRecord
from ..noop import noop
from .delivery import WebhookDelivery, deliveries_of
from .endpoint import WEBHOOKS, Endpoint
from .ports import WebhookStore, WebhookTransaction


@frozen
class RecordDeliveries:
    """Records deliveries in the transaction of their events; SendDeliveries sends them.

    Endpoints that are behind get theirs from FollowLog. ``now`` is the storage's time, ``wake`` wakes the sender.
    """

    now: Callable[[], Awaitable[datetime]]
    wake: Callable[[], None] = noop
    name: str = WEBHOOKS

    async def handle(self, deliveries: Sequence[Delivery], work: WebhookTransaction) -> None:
        """Record the deliveries of these events."""
        following = [it for it in await work.webhooks.endpoints() if it.behind is None]
        records = [delivery.record for delivery in deliveries]
        await work.webhooks.record(await new_deliveries(following, records, work.webhooks, self.now))

    async def settle(self) -> int:
        """Wake the sender."""
        self.wake()
        return 0


@define(eq=False)
class NeverUsed:
    """Returns whether the consumer has no cursor, because no endpoint was ever added. Looks once a second.

    While the storage is unavailable, what was known before counts: the process's other parts report that.
    """

    cursors: Cursors
    clock: Callable[[], float] = monotonic
    _used: bool = field(default=False, init=False)
    _look_at: float = field(default=0.0, init=False)

    async def __call__(self) -> bool:
        if not self._used and self.clock() >= self._look_at:
            self._look_at = self.clock() + 1.0
            with suppress(Unavailable):
                self._used = bool(await self.cursors.positions(WEBHOOKS))
        return not self._used


async def new_deliveries(
    endpoints: Sequence[Endpoint],
    records: Sequence[LogRecord],
    store: WebhookStore,
    now: Callable[[], Awaitable[datetime]],
) -> list[WebhookDelivery]:
    """Return the deliveries of ``records`` to ``endpoints``."""
    if not endpoints or not records:
        return []
    filtered = any(it.restaurants for it in endpoints)
    restaurants = await store.restaurants({it.order_id for it in records}) if filtered else {}
    at = await now()
    return [delivery for it in endpoints for delivery in deliveries_of(it, records, restaurants, at)]
