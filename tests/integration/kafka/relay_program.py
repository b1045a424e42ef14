"""A relay as a process of its own, over a log that every such process makes alike: BROKER TOPIC ORDERS BATCH."""

import asyncio
import logging
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from orderflow.adapters.kafka import KafkaRelayTopic, KafkaSettings
from orderflow.adapters.memory import LocalWakeup, MemoryStorage
from orderflow.application.publish_pending import PublishPending
from orderflow.application.run_relay import RunRelay
from orderflow.application.write_set import WriteSet
from orderflow.domain.events import OrderCancelled, OrderCreated, OrderEvent, OrderLine, ShipperAssigned, StateChanged
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money

OPENED = datetime(2024, 5, 17, 11, 30, tzinfo=UTC)
EVENTS_PER_ORDER = 4


def life(number: int) -> list[OrderEvent]:
    """The events of one order."""
    order_id, customer_id, at = f"order-{number}", f"customer-{number % 97}", OPENED + timedelta(seconds=number)
    price = Money(Decimal("12.50"), "USD")
    line = OrderLine(food_id="F1", food_name="Pho", price=price, quantity=2, discount=Money(Decimal(0), "USD"))
    said: dict[str, Any] = {"order_id": order_id, "customer_id": customer_id, "occurred_at": at}
    return [
        OrderCreated(**said, sequence=1, restaurant_id="R1", total=price * 2, lines=(line,)),
        ShipperAssigned(**said, sequence=2, shipper_id="S1", by="boss"),
        StateChanged(**said, sequence=3, old=OrderState.WAITING_FOR_SHIPPER, new=OrderState.PREPARING, by="boss"),
        OrderCancelled(**said, sequence=4, reason="closed", by="boss", shipper_id="S1"),
    ]


async def add_orders(storage: MemoryStorage, numbers: range) -> None:
    """Orders in waves, so that each order's events stand far apart in the log, as in life."""
    for step in range(EVENTS_PER_ORDER):
        for number in numbers:
            await storage.committer.commit(WriteSet(events=[life(number)[step]]))


async def main(bootstrap_servers: str, topic: str, orders: int, batch: int) -> None:
    storage = MemoryStorage()
    await add_orders(storage, range(orders))
    relay = KafkaRelayTopic(KafkaSettings(bootstrap_servers=bootstrap_servers, topic=topic))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    pending = PublishPending(storage.log, relay, storage.cursors, batch=batch)
    await RunRelay(pending, LocalWakeup().listener())(stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
