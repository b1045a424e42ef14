"""One order as its events tell it, beside the order as it is kept."""

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from ...domain.errors import CorruptHistory, NotConfigured, OrderNotFound, UndecodableEvent
from ...domain.events import OrderEvent
from ...domain.history import OrderFacts, apply, facts_of, fold
from ...domain.order import Order
from ..event_log.ports import Decode
from ..event_log.records import LogRecord, bucket_of
from ..replay.replay_range import ReplaySource
from .orders_and_log import OrderAudit, differing

TRIES = 5
"""How often an order is looked at again while it changes under our eyes."""


@frozen
class FactDiffers:
    """``fact`` is ``row`` in the orders table, and ``fold`` is what the events make of it."""

    fact: str
    row: object
    fold: object


@frozen(kw_only=True)
class OrderComparison:
    """``row`` is None where the orders table has none, ``fold`` where no event can be followed.

    ``problem`` says at which event the history cannot be followed; ``fold`` is then what was told before it.
    """

    order_id: str
    source: str
    events: int
    row: OrderFacts | None = field(repr=False)
    fold: OrderFacts | None = field(repr=False)
    problem: str = ""

    @property
    def differences(self) -> tuple[FactDiffers, ...]:
        """Every fact that is not the same; none where one of the two is not there at all."""
        if self.row is None or self.fold is None:
            return ()
        return tuple(FactDiffers(*each) for each in differing(self.row, self.fold))

    @property
    def equal(self) -> bool:
        return self.row is not None and self.row == self.fold and not self.problem


@frozen
class CompareOrder:
    """Nothing is changed. Raises OrderNotFound where there is neither row nor event; NotConfigured; Unavailable."""

    orders: OrderAudit
    sources: Mapping[str, ReplaySource]
    decode: Decode
    buckets: int

    async def __call__(self, order_id: str, *, source: str = "log") -> OrderComparison:
        if source not in self.sources:
            raise NotConfigured(f"there is no {source} to read from here", f"read from the {' or '.join(self.sources)}")
        row, records = await self._look(order_id, self.sources[source])
        if row is None and not records:
            raise OrderNotFound(order_id)
        told, problem = self._folded(records)
        return OrderComparison(
            order_id=order_id,
            source=source,
            events=len(records),
            row=None if row is None else facts_of(row),
            fold=told,
            problem=problem,
        )

    async def _look(self, order_id: str, read: ReplaySource) -> tuple[Order | None, Sequence[LogRecord]]:
        """The row and its events, both from one time as far as the order stands still."""
        row = await self._row(order_id)
        for _ in range(TRIES):
            before, bucket = row, bucket_of(order_id, self.buckets)
            records = [record async for page in read({bucket: ()}, order_id) for record in page]
            row = await self._row(order_id)
            if row == before:
                break
        return row, records

    async def _row(self, order_id: str) -> Order | None:
        return (await self.orders.many([order_id])).get(order_id)

    def _folded(self, records: Sequence[LogRecord]) -> tuple[OrderFacts | None, str]:
        """What the events tell, as far as they can be followed, and why no farther."""
        told: OrderFacts | None = None
        events: list[OrderEvent] = []
        try:
            for record in records:
                events.append(self.decode(record))
                told = apply(told, events[-1])
            return (fold(events), "") if events else (None, "there are no events")
        except UndecodableEvent as error:
            return told, f"event {len(events) + 1}: {error}"
        except CorruptHistory as error:
            return told, str(error)
