"""Compares one order with the fold of its events."""

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from ...domain.errors import CorruptHistory, OrderNotFound, UndecodableEvent
from ...domain.events import OrderEvent
from ...domain.history import OrderFacts, apply, facts_of, fold
from ...domain.order import Order
from ...domain.text import counted
from ..event_log.ports import Decode
from ..event_log.records import LogRecord, bucket_of
from ..replay.replay_range import ReplaySource, source_named
from .orders_and_log import OrderAudit, differing

TRIES = 5
"""The number of times an order is read while it changes."""


@frozen
class FactDiffers:
    """A ``fact`` that is ``row`` in the orders table and ``fold`` in the fold of the events."""

    fact: str
    row: object
    fold: object


@frozen(kw_only=True)
class OrderComparison:
    """The result. ``row`` is None if the orders table has no such row, ``fold`` if no event can be applied.

    ``problem`` names the event that cannot be applied; ``fold`` then has the events before it.
    """

    order_id: str
    source: str
    events: int
    row: OrderFacts | None = field(repr=False)
    fold: OrderFacts | None = field(repr=False)
    problem: str = ""

    @property
    def differences(self) -> tuple[FactDiffers, ...]:
        """The facts that differ; none if there is no row or no fold."""
        if self.row is None or self.fold is None:
            return ()
        return tuple(FactDiffers(*each) for each in differing(self.row, self.fold))

    @property
    def equal(self) -> bool:
        return self.row is not None and self.row == self.fold and not self.problem


@frozen
class CompareOrder:
    """Compares an order with its events from a source, and changes nothing.

    Raises OrderNotFound if there is neither a row nor an event; NotConfigured; Unavailable.
    """

    orders: OrderAudit
    sources: Mapping[str, ReplaySource]
    decode: Decode
    buckets: int

    async def __call__(self, order_id: str, *, source: str = "log") -> OrderComparison:
        row, records = await self._read(order_id, source_named(self.sources, source))
        if row is None and not records:
            raise OrderNotFound(order_id)
        folded, problem = self._fold(records)
        return OrderComparison(
            order_id=order_id,
            source=source,
            events=len(records),
            row=None if row is None else facts_of(row),
            fold=folded,
            problem=problem,
        )

    async def _read(self, order_id: str, source: ReplaySource) -> tuple[Order | None, Sequence[LogRecord]]:
        """Read the row and its events, again if the order changed meanwhile."""
        row = await self._row(order_id)
        for _ in range(TRIES):
            before, bucket = row, bucket_of(order_id, self.buckets)
            records = [record async for page in source({bucket: ()}, order_id) for record in page]
            row = await self._row(order_id)
            if row == before:
                break
        return row, records

    async def _row(self, order_id: str) -> Order | None:
        return (await self.orders.many([order_id])).get(order_id)

    def _fold(self, records: Sequence[LogRecord]) -> tuple[OrderFacts | None, str]:
        """Return the fold of the events as far as they can be applied, and the problem with the next one."""
        if records and (absent := records[0].sequence - 1):
            return None, f"missing at its beginning: {counted(absent, 'event')}; after that, nothing can be compared"
        folded: OrderFacts | None = None
        events: list[OrderEvent] = []
        try:
            for record in records:
                events.append(self.decode(record))
                folded = apply(folded, events[-1])
            return (fold(events), "") if events else (None, "there are no events")
        except UndecodableEvent as error:
            return folded, f"event {len(events) + 1}: {error}"
        except CorruptHistory as error:
            return folded, str(error)
