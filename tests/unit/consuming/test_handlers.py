"""An application's own functions as a consumer."""

from datetime import UTC, datetime
from typing import Any

import pytest
from orderflow import InvalidInput, OrderEvent, StorageUnavailable
from orderflow.application.consuming.handlers import HandlerConsumer, HandlerInBatches, event_types
from orderflow.application.event_log.records import Delivery, LogRecord
from orderflow.domain.events import EVENT_TYPES, OrderCancelled, OrderDelivered

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def delivered(order_id: str, sequence: int = 5) -> Delivery:
    return _delivery(
        OrderDelivered(
            order_id=order_id, customer_id="C1", sequence=sequence, occurred_at=NOON, shipper_id="S1", minutes=30
        )
    )


def cancelled(order_id: str, sequence: int = 3) -> Delivery:
    return _delivery(
        OrderCancelled(order_id=order_id, customer_id="C1", sequence=sequence, occurred_at=NOON, reason="rain", by="C1")
    )


def _delivery(event: OrderEvent) -> Delivery:
    record: dict[str, Any] = {"bucket": 0, "position": 1, "body": b"{}", "type": event.type, "event_id": event.id}
    return Delivery(
        LogRecord(order_id=event.order_id, sequence=event.sequence, occurred_at=event.occurred_at, **record), event
    )


def test_without_a_name_all_types_are_meant() -> None:
    types = event_types()

    assert types == {event.type for event in EVENT_TYPES}


def test_named_types_are_meant_alone() -> None:
    types = event_types("order.created", "order.cancelled")

    assert types == {"order.created", "order.cancelled"}


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'order\.eaten' is unknown; allowed: .*order\.delivered"):
        event_types("order.created", "order.eaten")


async def test_the_handler_is_called_for_its_types_alone_and_in_order() -> None:
    handled: list[OrderEvent] = []

    async def handler(event: OrderEvent) -> None:
        handled.append(event)

    consumer = HandlerConsumer("mine", event_types("order.delivered"), handler)

    await consumer.perform([delivered("O1"), cancelled("O2"), delivered("O3")])

    assert [event.order_id for event in handled] == ["O1", "O3"]


async def test_what_the_handler_raises_is_not_swallowed() -> None:
    async def handler(event: OrderEvent) -> None:
        raise ValueError(event.order_id)

    consumer = HandlerConsumer("mine", event_types(), handler)

    with pytest.raises(ValueError, match="O1"):
        await consumer.perform([delivered("O1")])


async def test_a_handler_leaves_nothing_to_settle() -> None:
    async def handler(event: OrderEvent) -> None: ...

    settled = await HandlerConsumer("mine", event_types(), handler).settle()

    assert settled == 0


async def test_in_a_batch_each_event_is_called_once_for_each_attempt() -> None:
    handled: list[str] = []

    async def handler(event: OrderEvent) -> None:
        handled.append(event.order_id)
        if event.order_id == "O2":
            raise ValueError("no paper")

    batch = [
        Delivery(it.record._replace(position=number), it.event)
        for number, it in enumerate(map(delivered, ("O1", "O2", "O3")))
    ]
    consumer = HandlerInBatches(HandlerConsumer("mine", event_types(), handler))

    async def fails(part: list[Delivery]) -> bool:
        try:
            await consumer.perform(part)
        except ValueError:
            return True
        return False

    # As HandleBatch tries it: whole, then in halves, then the event that fails alone.
    attempts = [await fails(part) for part in (batch, batch[:1], batch[1:], batch[1:2], batch[1:2], batch[2:])]

    assert attempts == [True, False, True, True, True, False]
    assert handled == ["O1", "O2", "O2", "O3"]


async def test_an_event_that_waits_for_a_backend_is_called_again() -> None:
    handled: list[str] = []

    async def handler(event: OrderEvent) -> None:
        handled.append(event.order_id)
        if len(handled) == 1:
            raise StorageUnavailable("printer", "it is off")

    batch = [Delivery(it.record._replace(position=number), it.event) for number, it in enumerate([delivered("O1")] * 2)]
    consumer = HandlerInBatches(HandlerConsumer("mine", event_types(), handler))

    with pytest.raises(StorageUnavailable):
        await consumer.perform(batch)
    await consumer.perform(batch)

    assert handled == ["O1", "O1", "O1"]
