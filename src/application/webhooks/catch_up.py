"""Endpoints that are behind: they fall behind when too much waits for them, and catch up from the log."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from attrs import evolve, frozen

from ..consuming.consumer import ConsumerStore
from ..event_log.ports import Cursors, EventLog
from ..event_log.records import unread
from .endpoint import WEBHOOKS, Endpoint, caught_up
from .ports import Webhooks, WebhookTransaction
from .record_deliveries import new_deliveries

MOST_UNSETTLED = 10_000
"""Unsettled deliveries of an endpoint above which it falls behind: what is for it waits in the log from then on."""
FEW_UNSETTLED = MOST_UNSETTLED // 2
"""Unsettled deliveries of an endpoint up to which it catches up."""
PAGE = 2_000
"""Events that are read at once; more than a batch of the consumer's, so that an endpoint catches up with it."""


@frozen
class FollowLog:
    """Keeps an endpoint's unsettled deliveries few, however long its receiver accepts nothing.

    With more than MOST_UNSETTLED it falls behind: the consumer records no more for it. With at most FEW_UNSETTLED the
    next events are recorded from the log, up to the consumer's cursors, where it follows the consumer again. Both
    happen while the consumer's cursors are held, so no event is left out or recorded twice, and an order's events are
    recorded in sequence.
    """

    webhooks: Webhooks
    store: ConsumerStore[WebhookTransaction]
    log: EventLog
    cursors: Cursors
    now: Callable[[], Awaitable[datetime]]
    buckets: Callable[[], int]
    most: int = MOST_UNSETTLED
    few: int = FEW_UNSETTLED
    page: int = PAGE

    async def __call__(self, endpoint: Endpoint) -> bool:
        """Return whether something was recorded or changed. Raises NotFound if the endpoint was removed."""
        if endpoint.behind is None:
            if await self.webhooks.unsettled(endpoint.id, at_most=self.most) <= self.most:
                return False
            return await self._fall_behind(endpoint)
        if await self.webhooks.unsettled(endpoint.id, at_most=self.few) > self.few:
            return False
        return await self._catch_up(endpoint)

    async def _fall_behind(self, endpoint: Endpoint) -> bool:
        async with self.store(WEBHOOKS) as work:
            cursors = await work.hold(range(self.buckets()))
            stored = await work.webhooks.get(endpoint.id)
            if stored.behind is None:
                await work.webhooks.change(evolve(stored, behind=cursors))
        return True

    async def _catch_up(self, endpoint: Endpoint) -> bool:
        behind, cursors = endpoint.behind or {}, await self.cursors.positions(WEBHOOKS)
        after = unread(behind, cursors)
        records = await self.log.read(after, limit=self.page, heads=cursors) if after else ()
        if not records and not caught_up(behind, cursors):
            return False  # the consumer has yet to come to where this endpoint begins
        async with self.store(WEBHOOKS) as work:
            cursors = await work.hold(range(self.buckets()))
            stored = await work.webhooks.get(endpoint.id)
            if not stored.enabled or stored.behind != behind:
                return True  # an operator has changed it meanwhile
            await work.webhooks.record(await new_deliveries([stored], records, work.webhooks, self.now), again=True)
            reached = {**behind, **{record.bucket: record.position for record in records}}
            await work.webhooks.change(evolve(stored, behind=None if caught_up(reached, cursors) else reached))
        return True
