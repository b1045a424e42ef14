"""Forgetting personal data that is old, in small steps."""

from datetime import datetime, timedelta

from attrs import frozen

from ...domain.events import OrderCancelled, OrderDelivered
from ..event_log.ports import Cursors, EventLog
from ..event_log.records import LogRecord, Positions
from .ports import ERASED_AT_ONCE, Kind, PersonalData

EVENTS_AT_ONCE = 1_000
BYTES_AT_ONCE = 8_000_000
FINAL = (OrderCancelled.type, OrderDelivered.type)


@frozen(kw_only=True)
class Retention:
    """For how long data is kept after its event; None: for ever."""

    addresses: timedelta | None = None
    notifications: timedelta | None = None
    unrecognized: timedelta | None = None


@frozen
class ForgetOldData:
    """Erases addresses, cards, annotations and notifications of old events, and deletes old records that are no events.

    It follows the log like a consumer, with positions of its own: an order's address is old when the event that ended
    the order is. So nothing is missed, whenever the order was created, and no table is read as a whole.
    """

    log: EventLog
    cursors: Cursors
    data: PersonalData
    kept: Retention

    async def __call__(self, now: datetime) -> bool:
        """Do one small step of each kind; return whether more may be to do. Raises StorageUnavailable."""
        more = False
        if self.kept.addresses is not None:
            more |= await self._step(Kind.ADDRESSES, now, self.kept.addresses)
        if self.kept.notifications is not None:
            more |= await self._step(Kind.NOTIFICATIONS, now, self.kept.notifications)
        if self.kept.unrecognized is not None:
            more |= await self.data.delete_unrecognized(now - self.kept.unrecognized) >= ERASED_AT_ONCE
        return more

    async def _step(self, kind: Kind, now: datetime, kept: timedelta) -> bool:
        at = dict(await self.data.progress(kind))
        heads = await self._heads(kind)
        records = await self.log.read(
            {bucket: at.get(bucket, 0) for bucket in heads}, limit=EVENTS_AT_ONCE, heads=heads, max_bytes=BYTES_AT_ONCE
        )
        old, recent = list[LogRecord](), set[int]()
        for record in records:
            if record.bucket in recent:
                continue
            if await self._time_of(record, now) >= now - kept:
                recent.add(record.bucket)
            else:
                old.append(record)
                at[record.bucket] = record.position
        if not old:
            return False
        if kind is Kind.ADDRESSES:
            await self.data.forget_addresses({record.order_id for record in old if record.type in FINAL})
        else:
            await self.data.forget_notifications({(record.order_id, record.sequence) for record in old})
        await self.data.keep_progress(kind, at)
        return True

    async def _time_of(self, record: LogRecord, now: datetime) -> datetime:
        """Return when an event occurred, or when it was appended if a wrong clock had it occur after ``now``."""
        if record.occurred_at <= now:
            return record.occurred_at
        times = {it.sequence: it.committed_at for it in await self.log.times(record.order_id)}
        return times.get(record.sequence) or record.occurred_at

    async def _heads(self, kind: Kind) -> Positions:
        """Return how far it may go: notifications only as far as they have been recorded."""
        heads = await self.log.heads()
        if kind is Kind.ADDRESSES:
            return heads
        recorded = await self.cursors.positions("notifications")
        return {bucket: min(head, recorded.get(bucket, 0)) for bucket, head in heads.items()}
