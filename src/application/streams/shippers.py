"""The shippers of orders over their lives, by which an event concerns one that lost the order."""

from collections import OrderedDict
from typing import NamedTuple

from attrs import define, field

from ...domain.events import OrderCancelled, ShipperAssigned
from ..event_log.ports import Decode, EventLog
from ..event_log.records import LogRecord

KNOWN_ORDERS = 10_000
"""Orders whose shippers are remembered."""


class Shippers(NamedTuple):
    """The shipper of an order before an event and after it."""

    before: str | None
    after: str | None


@define
class _Assignments:
    """The shippers of an order, each from an event on, as far as event ``known``. None: it has none any more."""

    changes: list[tuple[int, str | None]] = field(factory=list)
    known: int = 0

    def at(self, sequence: int) -> str | None:
        return next((shipper for since, shipper in reversed(self.changes) if since <= sequence), None)


@define(eq=False)
class ShipperHistory:
    """Knows the shippers around each event."""

    log: EventLog
    decode: Decode
    _orders: "OrderedDict[str, _Assignments]" = field(factory=OrderedDict, init=False)

    async def around(self, record: LogRecord) -> Shippers:
        """Return the shippers. The events of an order may be asked about in any sequence. Raises StorageUnavailable.

        After a cancellation there is none, although the order had one until then.
        """
        order = self._orders.get(record.order_id)
        if order is not None and record.sequence == order.known + 1:
            self._note(order, record)
        elif order is None or record.sequence > order.known:
            order = _Assignments()
            first = record.sequence == 1
            for each in (record,) if first else await self.log.history(record.order_id):
                self._note(order, each)
            self._orders[record.order_id] = order
            if len(self._orders) > KNOWN_ORDERS:
                self._orders.popitem(last=False)
        return Shippers(order.at(record.sequence - 1), order.at(record.sequence))

    def _note(self, order: _Assignments, record: LogRecord) -> None:
        if record.type == ShipperAssigned.type:
            event = self.decode(record)
            if isinstance(event, ShipperAssigned):
                order.changes.append((record.sequence, event.shipper_id))
        elif record.type == OrderCancelled.type:
            order.changes.append((record.sequence, None))
        order.known = record.sequence
