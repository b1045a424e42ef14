"""What the consumers did, against what the log says they had to do up to their cursors."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import frozen

from ...domain.events import OrderCancelled, OrderCreated, OrderEvent
from ..figures import OrderCourse, follow
from ..log import Positions
from ..notices import Parties
from ..notify import follow_parties, recipients
from ..ports import Cursors, Decode, EventLog
from ..ports_of_consumers import AnalyticsViews, DeadLetters, Notifications, Shortages
from ..stockroom import ReservationStatus
from .report import Comparison, Report

PAGE = 1000
TRIES = 5
"""How often a bucket is looked at again while its consumer moves on."""

Histories = Mapping[str, Sequence[OrderEvent]]
Look = Callable[[Histories, Comparison], Awaitable[None]]


@frozen
class CheckEffects:
    """One effect for each consumer and event: none missing, none doubled, none that no event asked for.

    A consumer is compared on the events up to its cursors; those it has not come to are a note, and so are orders
    that are parked. A consumer that never ran is skipped by name.
    """

    log: EventLog
    cursors: Cursors
    decode: Decode
    notifications: Notifications
    analytics: AnalyticsViews
    shortages: Shortages
    dead_letters: DeadLetters

    async def __call__(self, report: Report, heads: Positions) -> None:
        looks: dict[str, tuple[str, Look]] = {
            "notifications": ("each event told once to each recipient and channel", self._notifications),
            "analytics": ("each order's course tells of each event once, and of its money", self._analytics),
            "inventory": ("each order's reservation follows its events once", self._inventory),
        }
        readers = set(await self.cursors.readers())
        for consumer, (question, look) in looks.items():
            if consumer not in readers and heads:
                report.skip(f"{consumer}: {question}", "it has handled nothing yet")
            else:
                await self._consumer(consumer, report.start(f"{consumer}: {question}", "events"), look, report, heads)

    async def _consumer(
        self, consumer: str, comparison: Comparison, look: Look, report: Report, heads: Positions
    ) -> None:
        parked = {letter.record.order_id for letter in await self.dead_letters.blocking(consumer)}
        waiting = moving = 0
        for bucket, head in sorted(heads.items()):
            for _ in range(TRIES):
                at = (await self.cursors.positions(consumer)).get(bucket, 0)
                trial = Comparison(comparison.name, comparison.unit)
                await look(await self._histories(bucket, min(at, head), parked, trial), trial)
                now = (await self.cursors.positions(consumer)).get(bucket, 0)
                if now == at and at <= head:
                    break
                head = max(head, now)  # noqa: PLW2901  # the log went on, and the consumer with it
            else:
                moving += 1
                continue
            waiting += head - at
            comparison.compared += trial.compared
            for difference in trial.differences:
                comparison.differ(difference.where, difference.problem)
        if waiting:
            report.notes.append(f"{consumer} has {waiting} events still to handle")
        if parked:
            report.notes.append(f"{consumer} has {len(parked)} parked orders, which are not compared")
        if moving:
            report.notes.append(f"{consumer}: {moving} buckets would not hold still and are not compared")

    async def _histories(self, bucket: int, until: int, parked: set[str], comparison: Comparison) -> Histories:
        histories: dict[str, list[OrderEvent]] = defaultdict(list)
        at = 0
        while at < until and (records := await self.log.read({bucket: at}, limit=min(PAGE, until - at))):
            for record in records:
                if record.order_id not in parked:
                    comparison.compared += 1
                    histories[record.order_id].append(self.decode(record))
            at = records[-1].position
        return histories

    async def _notifications(self, histories: Histories, comparison: Comparison) -> None:
        told: dict[str, Counter[tuple[int, str, str]]] = defaultdict(Counter)
        for notification in await self.notifications.of_orders(set(histories)):
            effect = (notification.sequence, notification.recipient, notification.channel)
            told[notification.order_id][effect] += 1
        for order_id, events in histories.items():
            parties: Parties | None = None
            wanted: set[tuple[int, str]] = set()
            for event in events:
                parties = follow_parties(parties, event)
                wanted |= {(event.sequence, party) for _, party in recipients(event, parties)}
            found = {(sequence, recipient) for sequence, recipient, _ in told[order_id]}
            for sequence, recipient in sorted(wanted - found):
                comparison.differ(f"order {order_id}, event {sequence}", f"{recipient} was never told")
            for sequence, recipient in sorted(found - wanted):
                comparison.differ(f"order {order_id}, event {sequence}", f"{recipient} was told without reason")
            for (sequence, recipient, channel), times in told[order_id].items():
                if times > 1:
                    comparison.differ(f"order {order_id}, event {sequence}", f"{recipient} told twice by {channel}")

    async def _analytics(self, histories: Histories, comparison: Comparison) -> None:
        courses = await self.analytics.of_orders(set(histories))
        for order_id, events in histories.items():
            wanted: OrderCourse | None = None
            for event in events:
                wanted = follow(wanted, event)
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
