"""Operators' changes of webhook endpoints: add, disable, enable, remove and rotate them, and replay events to them."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta

from attrs import evolve, frozen

from ...domain.errors import InvalidInput
from ...domain.text import shown
from ..clock import Clock, NewId
from ..consuming.consumer import ConsumerStore
from ..event_log.ports import EventLog
from ..event_log.records import Positions
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from ..replay.replay_range import ReplayStart
from .endpoint import BY_OPERATOR, MAX_ENDPOINTS, WEBHOOKS, Endpoint, checked_endpoint
from .ports import Webhooks, WebhookTransaction

MAX_OVERLAP_HOURS = 365 * 24

logger = logging.getLogger("orderflow.webhooks")


@frozen(kw_only=True)
class ChangeEndpoints:
    """Changes endpoints. Each change but a new one is recorded in the maintenance log with the operator's note.

    Raises NotFound for an unknown endpoint, InvalidInput for a blank name or reason, StorageUnavailable.
    """

    webhooks: Webhooks
    store: ConsumerStore[WebhookTransaction]
    log: EventLog
    maintenance_log: MaintenanceLog
    clock: Clock
    now: Callable[[], Awaitable[datetime]]
    new_id: NewId
    new_secret: Callable[[], str]
    buckets: Callable[[], int]
    private: bool = False

    async def add(
        self,
        url: str,
        *,
        types: Collection[str] = (),
        restaurants: Collection[str] = (),
        label: str = "",
        start: ReplayStart | None = None,
    ) -> tuple[Endpoint, str]:
        """Add an endpoint, and return it with its secret, which is shown this once.

        It gets the events from now on, or from ``start`` on. Raises InvalidInput, OrderNotFound.
        """
        now, secret, heads = await self.now(), self.new_secret(), await self.log.heads()
        endpoint = checked_endpoint(
            self.new_id(), url, types=types, restaurants=restaurants, label=label, private=self.private, at=now
        )
        from_there = None if start is None else await before(start, self.log, self.buckets())
        async with self.store(WEBHOOKS) as work:
            cursors = await work.hold(range(self.buckets()))
            known = await work.webhooks.endpoints()
            if len(known) >= MAX_ENDPOINTS:
                raise InvalidInput("endpoint", f"there are {len(known)}", f"at most {MAX_ENDPOINTS}")
            if not any(cursors.values()) and not known:  # it was never used: nothing needs the events so far
                await work.advance({bucket: (0, head) for bucket, head in heads.items()})
            behind = heads if from_there is None else earliest(from_there, heads)
            endpoint = evolve(endpoint, behind=behind)
            await work.webhooks.add(endpoint, secret)
        return endpoint, secret

    async def rotate(
        self, endpoint_id: str, *, overlap: timedelta, by: str, reason: str
    ) -> tuple[Endpoint, str, datetime]:
        """Add a secret; the one before it is valid for ``overlap`` more, older ones no longer.

        Return the endpoint, the secret, which is shown this once, and when the one before it ends.
        """
        overlap_of(overlap / timedelta(hours=1))
        endpoint, now, secret = await self.webhooks.get(endpoint_id), await self.now(), self.new_secret()
        await self._record(f"rotated the secret of endpoint {endpoint_id}", by, reason)
        await self.webhooks.rotate(endpoint_id, secret, now=now, until=now + overlap)
        return endpoint, secret, now + overlap

    async def disable(self, endpoint_id: str, *, by: str, reason: str) -> Endpoint:
        """Send nothing more to it. What it misses is sent when it is enabled."""
        await self.webhooks.get(endpoint_id)
        await self._record(f"disabled endpoint {endpoint_id}", by, reason)
        return await self.stop(endpoint_id, BY_OPERATOR)

    async def stop(self, endpoint_id: str, reason: str) -> Endpoint:
        """Disable it, as orderflow does itself."""
        async with self.store(WEBHOOKS) as work:
            cursors = await work.hold(range(self.buckets()))
            endpoint = await work.webhooks.get(endpoint_id)
            if endpoint.enabled:
                endpoint = endpoint.disabled(reason, at=cursors)
                await work.webhooks.change(endpoint)
        return endpoint

    async def enable(self, endpoint_id: str, *, by: str, reason: str) -> Endpoint:
        """Send what it has missed, and all that follows, each order's events in sequence."""
        await self.webhooks.get(endpoint_id)
        await self._record(f"enabled endpoint {endpoint_id}", by, reason)
        now = await self.now()
        async with self.store(WEBHOOKS) as work:
            await work.hold(range(self.buckets()))
            endpoint = (await work.webhooks.get(endpoint_id)).healthy()
            await work.webhooks.change(endpoint)
            await work.webhooks.restart(endpoint_id, now)
        return endpoint

    async def remove(self, endpoint_id: str, *, by: str, reason: str) -> None:
        """Delete it with its secrets. What was delivered stays in the log of deliveries until it is old."""
        await self.webhooks.get(endpoint_id)
        await self._record(f"removed endpoint {endpoint_id}", by, reason)
        async with self.store(WEBHOOKS) as work:
            await work.hold(range(self.buckets()))
            await work.webhooks.remove(endpoint_id)

    async def replay(self, endpoint_id: str, start: ReplayStart, *, by: str, reason: str) -> Endpoint:
        """Send all events from ``start`` on again, with the same ids, each order's in sequence.

        Raises OrderNotFound, and InvalidInput for an unknown bucket, or an order: ``resend`` sends one order's again.
        """
        await self.webhooks.get(endpoint_id)
        from_there = await before(start, self.log, self.buckets())
        await self._record(f"replay to endpoint {endpoint_id} from {start}", by, reason, kind=MaintenanceKind.REPLAY)
        async with self.store(WEBHOOKS) as work:
            cursors = await work.hold(range(self.buckets()))
            endpoint = await work.webhooks.get(endpoint_id)
            at = cursors if endpoint.behind is None else endpoint.behind
            endpoint = evolve(endpoint, behind=earliest(from_there, at))
            await work.webhooks.forget(endpoint_id, after=endpoint.behind or {})
            await work.webhooks.change(endpoint)
        return endpoint

    async def _record(
        self, detail: str, by: str, reason: str, *, kind: MaintenanceKind = MaintenanceKind.WEBHOOK
    ) -> None:
        """Record a change before it is made, and log it."""
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        entry = MaintenanceEntry(kind=kind, note=note, consumer=WEBHOOKS, detail=detail)
        await self.maintenance_log.record(entry)
        logger.warning("webhook endpoint changed by an operator", extra={"change": detail})


def overlap_of(hours: float) -> timedelta:
    """Return the time for which an old secret stays valid. Raises InvalidInput, also for what no time can be."""
    if not 0 <= hours <= MAX_OVERLAP_HOURS:
        raise InvalidInput("hours", f"it is {shown(hours)}", f"0 to {MAX_OVERLAP_HOURS}")
    return timedelta(hours=hours)


async def before(start: ReplayStart, log: EventLog, buckets: int) -> Positions:
    """Return the last position of each bucket before ``start``; buckets without events from there on are left out.

    Raises InvalidInput for an unknown bucket or an order, StorageUnavailable.
    """
    if start.order_id is not None:
        raise InvalidInput("from", "it is an order", "a position or a time; `resend` sends an order's events again")
    if start.since is not None:
        return {bucket: position - 1 for bucket, position in (await log.since(start.since)).items()}
    at = max((start.position or 1) - 1, 0)
    if start.bucket is None:
        return dict.fromkeys(range(buckets), at)
    if start.bucket >= buckets:
        raise InvalidInput("from", f"there is no bucket {start.bucket}", f"buckets 0 to {buckets - 1}")
    return {start.bucket: at}


def earliest(one: Positions, other: Positions) -> Mapping[int, int]:
    """Return the earlier position of each bucket in ``other``."""
    return {bucket: min(at, one.get(bucket, at)) for bucket, at in other.items()}
