"""Traces one order: when each event was requested, committed, published, and handled by each consumer."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import field, frozen

from ...domain.actor import Actor
from ...domain.errors import StreamUnavailable
from ...domain.events import OrderCancelled, OrderCreated
from ..consuming.dead_letter import DeadLetter, Outcome
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import Cursors, EventLog
from ..event_log.readers import Readers
from ..event_log.records import RELAY, CursorAt, EventTimes, LogRecord, RecordLocation
from ..inventory.ports import Shortages
from ..inventory.stock import Reservation, ReservationStatus
from ..notifications.notification import Notification
from ..notifications.ports import Notifications
from ..orders.get_order import GetOrder
from ..webhooks.ports import Webhooks
from .ports import RecordLocator

NOTIFICATIONS, INVENTORY = "notifications", "inventory"
MAX_ACTIONS = 10_000
"""Actions on one order's dead letters that are read; more are unlikely."""
_MS = timedelta(milliseconds=1)


@frozen
class Moment:
    """The time of a step: ``exact``, or the latest possible time."""

    at: datetime
    exact: bool = True

    def since(self, before: "Moment | None") -> float | None:
        """Return the milliseconds since ``before``; negative if the two clocks differ by more."""
        return None if before is None else round((self.at - before.at) / _MS, 1)


@frozen
class Handling:
    """The ``state`` of an event in one consumer: ``handled``, ``parked``, ``dropped`` or ``waiting``.

    ``effect`` is what notifications and inventory did, or why the event is parked; empty if that is not known.
    """

    consumer: str
    state: str
    moment: Moment | None = None
    effect: str = ""


@frozen
class Sending:
    """The webhook delivery of an event to one endpoint. ``moment`` is when it was accepted, or failed for good."""

    endpoint: str
    status: str
    attempts: int
    moment: Moment | None
    code: int | None
    detail: str


@frozen(kw_only=True)
class EventTrace:
    """The steps of one event.

    ``requested`` is by the clock of the process that received the command, ``committed`` by the database's,
    ``published`` by the relay's, and each handling by the consumer's.
    """

    record: LogRecord = field(repr=False)
    requested: Moment | None
    committed: Moment | None
    published: Moment | None
    location: RecordLocation | None
    handled: tuple[Handling, ...]
    webhooks: tuple[Sending, ...] = ()


@frozen
class TracedOrder:
    """All events of an order by sequence; ``notes`` say what could not be read."""

    order_id: str
    events: tuple[EventTrace, ...]
    notes: tuple[str, ...] = ()


@frozen
class TraceOrder:
    """Traces the events of an order. Raises OrderNotFound, StorageUnavailable; a topic that does not answer is a note.

    ``locator`` is None if there is no topic. The log stores the first two times with each event; the publishing time is
    the record's timestamp, and the handling time that of the consumer's effect or cursor. A cursor that has moved
    further only gives the latest possible time.
    """

    get_order: GetOrder
    log: EventLog
    cursors: Cursors
    readers: Readers
    notifications: Notifications
    webhooks: Webhooks
    dead_letters: DeadLetters
    shortages: Shortages
    locator: RecordLocator | None = None

    async def __call__(self, order_id: str, *, by: Actor) -> TracedOrder:
        await self.get_order(order_id, by=by)
        records = await self.log.history(order_id)
        times = {it.sequence: it for it in await self.log.times(order_id)}
        cursors = {it.reader: it for it in await self.cursors.at(records[0].bucket)}
        published = cursors[RELAY].position if RELAY in cursors else 0
        locations, notes = await self._locations(records, times, published)
        handlings = await self._handlings(order_id, records, cursors)
        sent = await self._sent(order_id)
        events = tuple(
            EventTrace(
                record=record,
                requested=_moment(times[record.sequence].requested_at),
                committed=_moment(times[record.sequence].committed_at),
                published=_published(record, locations.get(record.event_id), cursors.get(RELAY)),
                location=locations.get(record.event_id),
                handled=tuple(handlings[record.sequence]),
                webhooks=tuple(sent[record.sequence]),
            )
            for record in records
        )
        return TracedOrder(order_id, events, notes)

    async def _locations(
        self, records: Sequence[LogRecord], times: Mapping[int, EventTimes], published: int
    ) -> tuple[Mapping[str, RecordLocation], tuple[str, ...]]:
        if self.locator is None:
            return {}, ()
        since = [times[record.sequence].committed_at or record.occurred_at for record in records]
        try:
            found = await self.locator.find(records, since)
        except StreamUnavailable as error:
            return {}, (f"the publishing times are unknown: {error}",)
        missing = [record for record in records if record.event_id not in found and record.position <= published]
        if not missing:
            return found, ()
        return found, (f"{len(missing)} of the published events were not found on the topic in time, or have expired",)

    async def _handlings(
        self, order_id: str, records: Sequence[LogRecord], cursors: Mapping[str, CursorAt]
    ) -> Mapping[int, Iterable[Handling]]:
        notified: dict[int, list[Notification]] = {}
        for notification in await self.notifications.of_orders([order_id]):
            notified.setdefault(notification.sequence, []).append(notification)
        recorded = {sequence: found[0].recorded_at for sequence, found in notified.items()}
        reservation = (await self.shortages.of_orders([order_id])).get(order_id)
        found: dict[int, list[Handling]] = {record.sequence: [] for record in records}
        for consumer in [name for name in await self.readers() if name != RELAY]:
            parked = {it.record.sequence: it for it in await self.dead_letters.of_order(consumer, order_id)}
            dropped = await self._dropped(consumer, order_id)
            known = recorded if consumer == NOTIFICATIONS else {}
            for record in records:
                if (dead_letter := parked.get(record.sequence)) is not None:
                    handling = Handling(consumer, "parked", Moment(dead_letter.first_failed_at), _cause(dead_letter))
                elif record.sequence in dropped:
                    handling = Handling(consumer, "dropped", Moment(dropped[record.sequence]))
                elif (moment := _reached(record, cursors.get(consumer), known)) is not None:
                    effect = ""
                    if consumer == NOTIFICATIONS:
                        effect = _told(notified.get(record.sequence, ()))
                    elif consumer == INVENTORY and reservation is not None:
                        effect = _reserved(record, reservation)
                    handling = Handling(consumer, "handled", moment, effect)
                else:
                    handling = Handling(consumer, "waiting")
                found[record.sequence].append(handling)
        return found

    async def _sent(self, order_id: str) -> Mapping[int, Sequence[Sending]]:
        """Return the webhook deliveries by sequence. Those that ended long ago are no longer kept."""
        found: dict[int, list[Sending]] = defaultdict(list)
        for it in await self.webhooks.of_orders([order_id]):
            moment = _moment(it.settled_at)
            found[it.sequence].append(Sending(it.endpoint_id, it.status, it.attempts, moment, it.code, it.detail))
        return found

    async def _dropped(self, consumer: str, order_id: str) -> Mapping[int, datetime]:
        actions = await self.dead_letters.history(limit=MAX_ACTIONS, consumer=consumer, order_id=order_id)
        return {it.sequence: it.note.at for it in actions if it.outcome is Outcome.DROPPED}


def _cause(dead_letter: DeadLetter) -> str:
    if not dead_letter.error:
        return "it waits behind an earlier event of the order"
    return f"{dead_letter.error}: {dead_letter.message}"


def _told(notifications: Sequence[Notification]) -> str:
    return ", ".join(f"{it.recipient} by {it.channel}: {it.status}" for it in notifications) or "none to send"


def _reserved(record: LogRecord, reservation: Reservation) -> str:
    """Return what the event did to the stock; empty for one that does nothing."""
    taken = ", ".join(f"{quantity} {food}" for food, quantity in reservation.taken.items())
    if record.type == OrderCreated.type:
        if reservation.status is ReservationStatus.SHORT:
            return f"short of {', '.join(reservation.missing)}"
        return f"reserved {taken}" if taken else "no food has a stock"
    released = record.type == OrderCancelled.type and reservation.status is ReservationStatus.RELEASED and taken
    return f"released {taken}" if released else ""


def _moment(at: datetime | None) -> Moment | None:
    return None if at is None else Moment(at)


def _published(record: LogRecord, location: RecordLocation | None, stored: CursorAt | None) -> Moment | None:
    """Return the record's timestamp or, if the topic no longer has it, the time of the relay's stored cursor."""
    return _reached(record, stored, {}) if location is None else Moment(location.at)


def _reached(record: LogRecord, cursor: CursorAt | None, known: Mapping[int, datetime]) -> Moment | None:
    if cursor is None or cursor.position < record.position:
        return None
    if record.sequence in known:
        return Moment(known[record.sequence])
    return Moment(cursor.moved_at, exact=cursor.position == record.position)
