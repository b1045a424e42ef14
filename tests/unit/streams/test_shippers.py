"""The shippers that an event concerns."""

from collections.abc import Sequence

import pytest
from orderflow.adapters import wire
from orderflow.application.event_log.records import LogRecord
from orderflow.application.streams import shippers
from orderflow.application.streams.shippers import ShipperHistory, Shippers
from orderflow.domain.events import OrderEvent, PaymentProcessed
from orderflow.domain.payment import PaymentMethod, PaymentStatus

from tests.unit.domain.actors import ADMIN, AT, eur, place


class Log:
    """A log of one order, which counts how often it is read."""

    def __init__(self, events: Sequence[OrderEvent]) -> None:
        self.records = [
            wire.record(event, bucket=0, position=number, correlation_id="", traceparent="")
            for number, event in enumerate(events, start=1)
        ]
        self.reads = 0

    async def history(self, _: str) -> Sequence[LogRecord]:
        self.reads += 1
        return self.records


@pytest.fixture
def log() -> Log:
    """O1 is placed, assigned to S1 and then to S2, cancelled, and refunded later."""
    events: list[OrderEvent] = []
    change = place()
    for step in (
        lambda order: order.assign_shipper("S1", by=ADMIN, at=AT),
        lambda order: order.assign_shipper("S2", by=ADMIN, at=AT),
        lambda order: order.cancel("late", by=ADMIN, at=AT),
    ):
        events += change.events
        change = step(change.order)
    events += change.events
    refund = PaymentProcessed(
        order_id="O1",
        customer_id="C1",
        sequence=len(events) + 1,
        occurred_at=AT,
        status=PaymentStatus.REFUNDED,
        method=PaymentMethod.CREDIT_CARD,
        amount=eur("1.00"),
        success=True,
    )
    return Log([*events, refund])


AROUND = {
    "order.created": [Shippers(None, None)],
    "order.shipper_assigned": [Shippers(None, "S1"), Shippers("S1", "S2")],
    "order.cancelled": [Shippers("S2", None)],
    "order.payment_processed": [Shippers(None, None)],
}


@pytest.mark.parametrize("backwards", [False, True])
async def test_an_event_concerns_the_shipper_before_it_and_the_one_after_it(log: Log, backwards: bool) -> None:
    history = ShipperHistory(log, wire.decode_record)  # type: ignore[arg-type]

    asked = reversed(log.records) if backwards else iter(log.records)
    around = {record.sequence: await history.around(record) for record in asked}

    found: dict[str, list[Shippers]] = {}
    for record in log.records:
        found.setdefault(record.type, []).append(around[record.sequence])
    assert {type_: found[type_] for type_ in AROUND} == AROUND
    assert log.reads == int(backwards)


async def test_no_more_orders_are_remembered_than_so_many(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shippers, "KNOWN_ORDERS", 1)
    history = ShipperHistory(log, wire.decode_record)  # type: ignore[arg-type]
    for number in range(3):
        await history.around(log.records[0]._replace(order_id=f"O{number}"))

    assert len(history._orders) == 1
