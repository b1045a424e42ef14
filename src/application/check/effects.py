"""Compares the effects of the consumers with the events up to their cursors."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from attrs import define, frozen

from ...domain.errors import CorruptHistory, UndecodableEvent
from ...domain.events import OrderCancelled, OrderCreated, OrderEvent
from ...domain.text import counted
from ..analytics.order_progress import OrderProgress, follow
from ..analytics.ports import AnalyticsQueries
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import Cursors, Decode, EventLog
from ..event_log.records import LogRecord, Positions
from ..inventory.ports import Shortages
from ..inventory.stock import ReservationStatus
from ..notifications.notification import Parties
from ..notifications.notify import follow_parties, recipients
from ..notifications.ports import Notifications
from ..webhooks.endpoint import WEBHOOKS
from .buckets import Decoded, decoded, read_until
from .read_rows import read_rows
from .report import CheckReport, Comparison
from .webhooks import CheckWebhooks

TRIES = 5
"""The number of times buckets are read while their consumer continues."""

Histories = Mapping[str, Sequence[tuple[LogRecord, OrderEvent]]]
"""The events of each order that a consumer has handled, with their records."""
Compare = Callable[[Histories, Comparison], Awaitable[None]]


@frozen
class CheckEffects:
    """Checks that each event had its effect in each consumer once: none is missing, doubled, or without an event.

    A consumer is compared on the events up to its cursors. Events after them are a note, and so are parked orders
    and orders with dropped events. A consumer that never ran is skipped.
    """

    log: EventLog
    cursors: Cursors
    decode: Decode
    notifications: Notifications
    analytics: AnalyticsQueries
    shortages: Shortages
    dead_letters: DeadLetters
    webhooks: CheckWebhooks

    async def begin(self, heads: Positions) -> "EffectsCheck":
        """Begin a check of the log up to ``heads``."""
        readers = set(await self.cursors.readers())
        comparisons: dict[str, tuple[str, Compare]] = {
            "notifications": ("one notification for each event, recipient and channel", self._notifications),
            "analytics": ("each order's progress has each of its events once", self._analytics),
            "inventory": ("each order's reservation fits its events", self._inventory),
            WEBHOOKS: ("each event has its delivery at each endpoint, in sequence per order", self.webhooks.compare),
        }
        results = CheckReport(notes=list(await self.webhooks.notes()))
        examined = []
        for consumer, (name, compare) in comparisons.items():
            if consumer == WEBHOOKS and consumer not in readers:
                continue  # it is not in use
            if consumer not in readers and heads:
                results.skip(f"{consumer}: {name}", "it has handled nothing yet")
            else:
                comparison = results.start(f"{consumer}: {name}", "events")
                parked = {dead_letter.record.order_id for dead_letter in await self.dead_letters.blocking(consumer)}
                dropped = set(await self.dead_letters.dropped(consumer)) - parked
                examined.append(_Examined(consumer, comparison, compare, parked, dropped))
        return EffectsCheck(self, results, examined)

    async def positions(self, consumer: str, buckets: Iterable[int]) -> dict[int, int]:
        """Return the cursors of a consumer in these buckets."""
        positions = await self.cursors.positions(consumer)
        return {bucket: positions.get(bucket, 0) for bucket in buckets}

    async def _notifications(self, histories: Histories, comparison: Comparison) -> None:
        recorded: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        for order_id, sequence, recipient, channel in await self.notifications.keys(set(histories)):
            recorded[order_id].append((sequence, recipient, channel))
        for order_id, history in histories.items():
            try:
                expected = _expected([event for _, event in history])
            except CorruptHistory as e:
                comparison.differ(f"order {order_id}, event {e.sequence}", e.problem)
                continue
            found = {(sequence, recipient) for sequence, recipient, _ in recorded[order_id]}
            for sequence, recipient in sorted(expected - found):
                comparison.differ(f"order {order_id}, event {sequence}", f"{recipient} has no notification")
            for sequence, recipient in sorted(found - expected):
                comparison.differ(
                    f"order {order_id}, event {sequence}", f"{recipient} has a notification without an event"
                )
            for (sequence, recipient, channel), times in Counter(recorded[order_id]).items():
                if times > 1:
                    comparison.differ(
                        f"order {order_id}, event {sequence}", f"{recipient} was notified twice by {channel}"
                    )

    async def _analytics(self, histories: Histories, comparison: Comparison) -> None:
        progress, unreadable = await read_rows(self.analytics.of_orders, histories)
        for order_id, names in (await self.analytics.derived_differ(progress)).items():
            comparison.differ(f"order {order_id}", f"analytics has a wrong {', '.join(names)} for its progress")
        for order_id, history in histories.items():
            expected: OrderProgress | None = None
            try:
                for _, event in history:
                    expected = follow(expected, event)
            except CorruptHistory as e:
                comparison.differ(f"order {order_id}, event {e.sequence}", e.problem)
                continue
            found = progress.get(order_id)
            if found is None:
                comparison.differ(f"order {order_id}", unreadable.get(order_id, "analytics has no progress of it"))
            elif found != expected:
                comparison.differ(f"order {order_id}", f"analytics has {found}, its events give {expected}")

    async def _inventory(self, histories: Histories, comparison: Comparison) -> None:
        reservations, unreadable = await read_rows(self.shortages.of_orders, histories)
        for order_id, history in histories.items():
            events = [event for _, event in history]
            found = reservations.get(order_id)
            if found is None:
                comparison.differ(f"order {order_id}", unreadable.get(order_id, "inventory has no reservation for it"))
                continue
            cancelled = any(isinstance(event, OrderCancelled) for event in events)
            expected = ReservationStatus.RELEASED if cancelled else ReservationStatus.RESERVED
            if found.status not in (expected, ReservationStatus.SHORT):
                comparison.differ(f"order {order_id}", f"is {found.status}, by its events it is {expected}")
            ordered: Counter[str] = Counter()
            for line in (line for event in events if isinstance(event, OrderCreated) for line in event.lines):
                ordered[line.food_id] += line.quantity
            for food_id, quantity in found.taken.items():
                if quantity != ordered[food_id]:
                    comparison.differ(f"order {order_id}", f"took {quantity} of {food_id}, ordered {ordered[food_id]}")


@frozen
class EffectsCheck:
    """A check that runs: it gets the events of one group of buckets after the other, as they are read for others."""

    check: CheckEffects
    results: CheckReport
    examined: Sequence["_Examined"]

    async def __call__(self, group: Positions, events: Decoded) -> None:
        """Compare what each consumer did up to its cursors, and again if they moved meanwhile.

        ``events`` are those up to the heads ``group``; those after them, up to the cursors, are read.
        """
        read, left = dict(group), list(self.examined)
        events = list(events)
        for _ in range(TRIES):
            at = {it.consumer: await self.check.positions(it.consumer, group) for it in left}
            until = {bucket: max((each[bucket] for each in at.values()), default=0) for bucket in group}
            events += decoded(await read_until(self.check.log, until, read), self.check.decode)
            read = {bucket: max(position, until[bucket]) for bucket, position in read.items()}
            moved = []
            for it in left:
                trial = Comparison(it.comparison.name, it.comparison.unit)
                await it.compare(it.histories(events, at[it.consumer], trial), trial)
                if await self.check.positions(it.consumer, group) == at[it.consumer]:
                    it.keep(trial, group, at[it.consumer])
                else:
                    moved.append(it)
            if not (left := moved):
                break
        for it in left:
            it.moving += len(group)

    def add_to(self, report: CheckReport) -> None:
        """Add what was found to ``report``."""
        report.comparisons += self.results.comparisons
        report.notes += self.results.notes
        for it in self.examined:
            report.notes += it.notes()


@define
class _Examined:
    """One consumer that is compared, the orders that are left out, and the counts so far."""

    consumer: str
    comparison: Comparison
    compare: Compare
    parked: set[str]
    dropped: set[str]
    waiting: int = 0
    moving: int = 0

    def histories(self, decoded: Decoded, until: Positions, trial: Comparison) -> Histories:
        """Return the events that it has handled, by order."""
        passed_over = self.parked | self.dropped
        histories: dict[str, list[tuple[LogRecord, OrderEvent]]] = defaultdict(list)
        for record, event in decoded:
            if record.position > until[record.bucket] or record.order_id in passed_over:
                continue
            trial.compared += 1
            history = histories[record.order_id]
            if isinstance(event, UndecodableEvent):
                trial.differ(f"order {record.order_id}, event {record.sequence}", str(event))
            else:
                history.append((record, event))
        return histories

    def keep(self, trial: Comparison, heads: Positions, at: Positions) -> None:
        self.waiting += sum(max(0, head - at[bucket]) for bucket, head in heads.items())
        self.comparison.compared += trial.compared
        for difference in trial.differences:
            self.comparison.differ(difference.where, difference.problem)
        self.comparison.found += trial.found - len(trial.differences)

    def notes(self) -> list[str]:
        name = self.consumer
        counts = {
            f"{name} has {counted(self.waiting, 'event')} still to handle": self.waiting,
            f"{name}: not compared: {counted(len(self.parked), 'parked order')}": self.parked,
            f"{name}: not compared: {counted(len(self.dropped), 'order')} with dropped events": self.dropped,
            f"{name}: not compared: {counted(self.moving, 'bucket')} that changed all the time": self.moving,
        }
        return [note for note, count in counts.items() if count]


def _expected(events: Sequence[OrderEvent]) -> set[tuple[int, str]]:
    """Return (sequence, recipient) of all notifications for these events of one order. Raises CorruptHistory."""
    parties: Parties | None = None
    expected: set[tuple[int, str]] = set()
    for event in events:
        parties = follow_parties(parties, event)
        expected |= {(event.sequence, party) for _, party in recipients(event, parties)}
    return expected
