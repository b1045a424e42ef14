"""What the consumers did, against what the log says they had to do up to their cursors."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from attrs import define, frozen

from ...domain.errors import CorruptHistory, UndecodableEvent
from ...domain.events import OrderCancelled, OrderCreated, OrderEvent
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
from .buckets import groups, read_until
from .report import CheckReport, Comparison

TRIES = 5
"""How often buckets are looked at again while their consumer moves on."""

Histories = Mapping[str, Sequence[OrderEvent]]
Opened = Sequence[tuple[LogRecord, OrderEvent | UndecodableEvent]]
"""Records, each with its event, or with why it cannot be read."""
ReaderSnapshot = Callable[[Histories, Comparison], Awaitable[None]]


@frozen
class CheckEffects:
    """One effect for each consumer and event: none missing, none doubled, none that no event asked for.

    A consumer is compared on the events up to its cursors; those it has not come to are a note, and so are orders
    that are parked, or of which somebody dropped events. A consumer that never ran is skipped by name.
    """

    log: EventLog
    cursors: Cursors
    decode: Decode
    notifications: Notifications
    analytics: AnalyticsQueries
    shortages: Shortages
    dead_letters: DeadLetters

    async def __call__(self, report: CheckReport, heads: Positions) -> None:
        looks: dict[str, tuple[str, ReaderSnapshot]] = {
            "notifications": ("each event told once to each recipient and channel", self._notifications),
            "analytics": ("each order's course tells of each event once, and of its money", self._analytics),
            "inventory": ("each order's reservation follows its events once", self._inventory),
        }
        readers = set(await self.cursors.readers())
        examined = []
        for consumer, (question, look) in looks.items():
            if consumer not in readers and heads:
                report.skip(f"{consumer}: {question}", "it has handled nothing yet")
            else:
                comparison = report.start(f"{consumer}: {question}", "events")
                parked = {letter.record.order_id for letter in await self.dead_letters.blocking(consumer)}
                dropped = set(await self.dead_letters.dropped(consumer)) - parked
                examined.append(_Examined(consumer, comparison, look, parked, dropped))
        for group in groups(heads):
            await self._group(group, examined)
        for it in examined:
            report.notes += it.notes()

    async def _group(self, group: Positions, examined: Sequence["_Examined"]) -> None:
        """ReaderSnapshot at what each consumer did up to its cursors, and again where those moved meanwhile."""
        left = list(examined)
        for _ in range(TRIES):
            at = {it.consumer: await self._positions(it.consumer, group) for it in left}
            until = {bucket: max((each[bucket] for each in at.values()), default=0) for bucket in group}
            opened = self._opened(await read_until(self.log, until))
            moved = []
            for it in left:
                trial = Comparison(it.comparison.name, it.comparison.unit)
                await it.look(it.histories(opened, at[it.consumer], trial), trial)
                if await self._positions(it.consumer, group) == at[it.consumer]:
                    it.keep(trial, group, at[it.consumer])
                else:
                    moved.append(it)
            if not (left := moved):
                break
        for it in left:
            it.moving += len(group)

    async def _positions(self, consumer: str, buckets: Iterable[int]) -> dict[int, int]:
        positions = await self.cursors.positions(consumer)
        return {bucket: positions.get(bucket, 0) for bucket in buckets}

    def _opened(self, records: Iterable[LogRecord]) -> Opened:
        opened: list[tuple[LogRecord, OrderEvent | UndecodableEvent]] = []
        for record in records:
            try:
                opened.append((record, self.decode(record)))
            except UndecodableEvent as e:
                opened.append((record, e))
        return opened

    async def _notifications(self, histories: Histories, comparison: Comparison) -> None:
        told: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        for order_id, sequence, recipient, channel in await self.notifications.told(set(histories)):
            told[order_id].append((sequence, recipient, channel))
        for order_id, events in histories.items():
            try:
                wanted = _to_be_told(events)
            except CorruptHistory as e:
                comparison.differ(f"order {order_id}, event {e.sequence}", e.problem)
                continue
            found = {(sequence, recipient) for sequence, recipient, _ in told[order_id]}
            for sequence, recipient in sorted(wanted - found):
                comparison.differ(f"order {order_id}, event {sequence}", f"{recipient} was never told")
            for sequence, recipient in sorted(found - wanted):
                comparison.differ(f"order {order_id}, event {sequence}", f"{recipient} was told without reason")
            for (sequence, recipient, channel), times in Counter(told[order_id]).items():
                if times > 1:
                    comparison.differ(f"order {order_id}, event {sequence}", f"{recipient} told twice by {channel}")

    async def _analytics(self, histories: Histories, comparison: Comparison) -> None:
        courses = await self.analytics.of_orders(set(histories))
        for order_id, events in histories.items():
            wanted: OrderProgress | None = None
            try:
                for event in events:
                    wanted = follow(wanted, event)
            except CorruptHistory as e:
                comparison.differ(f"order {order_id}, event {e.sequence}", e.problem)
                continue
            found = courses.get(order_id)
            if found is None:
                comparison.differ(f"order {order_id}", "analytics knows nothing of it")
            elif found != wanted:
                comparison.differ(f"order {order_id}", f"analytics has {found}, its events make {wanted}")

    async def _inventory(self, histories: Histories, comparison: Comparison) -> None:
        reservations = await self.shortages.of_orders(set(histories))
        for order_id, events in histories.items():
            found = reservations.get(order_id)
            if found is None:
                comparison.differ(f"order {order_id}", "inventory decided nothing for it")
                continue
            cancelled = any(isinstance(event, OrderCancelled) for event in events)
            live = ReservationStatus.RELEASED if cancelled else ReservationStatus.RESERVED
            if found.status not in (live, ReservationStatus.SHORT):
                comparison.differ(f"order {order_id}", f"is {found.status}, its events make it {live}")
            wanted: Counter[str] = Counter()
            for line in (line for event in events if isinstance(event, OrderCreated) for line in event.lines):
                wanted[line.food_id] += line.quantity
            for food_id, quantity in found.taken.items():
                if quantity != wanted[food_id]:
                    comparison.differ(f"order {order_id}", f"took {quantity} of {food_id}, ordered {wanted[food_id]}")


@define
class _Examined:
    """One consumer under examination: what it is asked, whose orders it is not asked about, and what came of it."""

    consumer: str
    comparison: Comparison
    look: ReaderSnapshot
    parked: set[str]
    dropped: set[str]
    waiting: int = 0
    moving: int = 0

    def histories(self, opened: Opened, until: Positions, trial: Comparison) -> Histories:
        """What it had to do, by order."""
        passed_over = self.parked | self.dropped
        histories: dict[str, list[OrderEvent]] = defaultdict(list)
        for record, event in opened:
            if record.position > until[record.bucket] or record.order_id in passed_over:
                continue
            trial.compared += 1
            history = histories[record.order_id]
            if isinstance(event, UndecodableEvent):
                trial.differ(f"order {record.order_id}, event {record.sequence}", str(event))
            else:
                history.append(event)
        return histories

    def keep(self, trial: Comparison, heads: Positions, at: Positions) -> None:
        self.waiting += sum(max(0, head - at[bucket]) for bucket, head in heads.items())
        self.comparison.compared += trial.compared
        for difference in trial.differences:
            self.comparison.differ(difference.where, difference.problem)

    def notes(self) -> list[str]:
        who = self.consumer
        said = {
            f"{who} has {self.waiting} events still to handle": self.waiting,
            f"{who} has {len(self.parked)} parked orders, which are not compared": self.parked,
            f"{who} has {len(self.dropped)} orders with dropped events, which are not compared": self.dropped,
            f"{who}: {self.moving} buckets would not hold still and are not compared": self.moving,
        }
        return [note for note, of in said.items() if of]


def _to_be_told(events: Sequence[OrderEvent]) -> set[tuple[int, str]]:
    """(sequence, recipient) of all that ``events`` of one order ask for. Raises CorruptHistory."""
    parties: Parties | None = None
    wanted: set[tuple[int, str]] = set()
    for event in events:
        parties = follow_parties(parties, event)
        wanted |= {(event.sequence, party) for _, party in recipients(event, parties)}
    return wanted
