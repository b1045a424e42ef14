"""One order's way: asked, committed, published, handled by each consumer, from what log, topic and cursors know."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import field, frozen

from ...domain.actor import Actor
from ...domain.errors import StreamUnavailable
from ..consuming.dead_letter import Outcome
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import Cursors, EventLog
from ..event_log.readers import Readers
from ..event_log.records import RELAY, CursorAt, EventTimes, LogRecord, RecordLocation
from ..notifications.ports import Notifications
from ..orders.get_order import GetOrder
from .ports import RecordLocator

NOTIFICATIONS = "notifications"
CHANGES = 10_000
"""Changes of one order's letters that are looked through; nobody makes so many."""
_MS = timedelta(milliseconds=1)


@frozen
class Moment:
    """When something had happened: then (``exact``), or then at the latest."""

    at: datetime
    exact: bool = True

    def since(self, before: "Moment | None") -> float | None:
        """Milliseconds after ``before``; below zero where the two clocks differ by more."""
        return None if before is None else round((self.at - before.at) / _MS, 1)


@frozen
class Handling:
    """What one consumer has done about an event: ``handled``, ``parked``, or ``waiting`` for it.

    ``dropped``: it was parked, and somebody gave its effect up.
    """

    consumer: str
    state: str
    moment: Moment | None = None


@frozen(kw_only=True)
class EventWay:
    """One event's way. ``asked`` is by the clock of the process that was asked, ``committed`` by the database's,
    ``published`` by the relay's, and each handling by the consumer's.
    """

    record: LogRecord = field(repr=False)
    asked: Moment | None
    committed: Moment | None
    published: Moment | None
    place: RecordLocation | None
    handled: tuple[Handling, ...]


@frozen
class TracedOrder:
    """All events by sequence; ``notes`` say what could not be looked at."""

    order_id: str
    events: tuple[EventWay, ...]
    notes: tuple[str, ...] = ()


@frozen
class TraceOrder:
    """Raises OrderNotFound, StorageUnavailable; a topic that does not answer is a note.

    ``places`` is None where there is no topic. Nothing is kept for this but the two times beside each event: the
    topic's own record tells when it was published, a consumer's effect or cursor when it was handled. A cursor that
    has gone on tells only the latest moment at which that may have been.
    """

    get_order: GetOrder
    log: EventLog
    cursors: Cursors
    readers: Readers
    notifications: Notifications
    dead_letters: DeadLetters
    places: RecordLocator | None = None

    async def __call__(self, order_id: str, *, by: Actor) -> TracedOrder:
        await self.get_order(order_id, by=by)
        records = await self.log.history(order_id)
        times = {it.sequence: it for it in await self.log.times(order_id)}
        cursors = {it.reader: it for it in await self.cursors.at(records[0].bucket)}
        places, notes = await self._places(records, times)
        handlings = await self._handlings(order_id, records, cursors)
        events = tuple(
            EventWay(
                record=record,
                asked=_moment(times[record.sequence].requested_at),
                committed=_moment(times[record.sequence].committed_at),
                published=_published(record, places.get(record.event_id), cursors.get(RELAY)),
                place=places.get(record.event_id),
                handled=tuple(handlings[record.sequence]),
            )
            for record in records
        )
        return TracedOrder(order_id, events, notes)

    async def _places(
        self, records: Sequence[LogRecord], times: Mapping[int, EventTimes]
    ) -> tuple[Mapping[str, RecordLocation], tuple[str, ...]]:
        if self.places is None:
            return {}, ()
        since = [times[record.sequence].committed_at or record.occurred_at for record in records]
        try:
            return await self.places.find(records, since), ()
        except StreamUnavailable as error:
            return {}, (f"when events were published is not known: {error}",)

    async def _handlings(
        self, order_id: str, records: Sequence[LogRecord], cursors: Mapping[str, CursorAt]
    ) -> Mapping[int, Iterable[Handling]]:
        told: dict[int, datetime] = {}
        for notice in await self.notifications.of_orders([order_id]):
            told.setdefault(notice.sequence, notice.recorded_at)
        found: dict[int, list[Handling]] = {record.sequence: [] for record in records}
        for consumer in [name for name in await self.readers() if name != RELAY]:
            parked = {it.record.sequence: it for it in await self.dead_letters.of_order(consumer, order_id)}
            dropped = await self._dropped(consumer, order_id)
            known = told if consumer == NOTIFICATIONS else {}
            for record in records:
                if (letter := parked.get(record.sequence)) is not None:
                    handling = Handling(consumer, "parked", Moment(letter.first_failed_at))
                elif record.sequence in dropped:
                    handling = Handling(consumer, "dropped", Moment(dropped[record.sequence]))
                elif (moment := _reached(record, cursors.get(consumer), known)) is not None:
                    handling = Handling(consumer, "handled", moment)
                else:
                    handling = Handling(consumer, "waiting")
                found[record.sequence].append(handling)
        return found

    async def _dropped(self, consumer: str, order_id: str) -> Mapping[int, datetime]:
        changes = await self.dead_letters.history(limit=CHANGES, consumer=consumer, order_id=order_id)
        return {it.sequence: it.note.at for it in changes if it.outcome is Outcome.DROPPED}


def _moment(at: datetime | None) -> Moment | None:
    return None if at is None else Moment(at)


def _published(record: LogRecord, place: RecordLocation | None, floor: CursorAt | None) -> Moment | None:
    """The record's own time; where the topic has it no more, the relay's floor."""
    if place is not None:
        return Moment(place.at)
    return None if floor is None else _reached(record, floor, {})


def _reached(record: LogRecord, cursor: CursorAt | None, known: Mapping[int, datetime]) -> Moment | None:
    if cursor is None or cursor.position < record.position:
        return None
    if record.sequence in known:
        return Moment(known[record.sequence])
    return Moment(cursor.moved_at, exact=cursor.position == record.position)
