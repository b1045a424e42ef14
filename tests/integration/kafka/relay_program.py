"""A relay as a process of its own, over a log that every such process makes alike: BROKER TOPIC ORDERS BATCH [FATE].

FATE, SIGSTOP or SIGKILL, is what it sends itself in its second transaction, when all stands there but the commit.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from attrs import define, field, frozen
from orderflow.adapters.kafka import KafkaRelayTopic, KafkaSettings
from orderflow.adapters.kafka.relay.transactional_producer import RelayProducer
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.event_log.records import LogRecord
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.write_set import WriteSet
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay
from orderflow.domain.events import OrderCancelled, OrderCreated, OrderEvent, OrderLine, ShipperAssigned, StateChanged
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money

QUICK = {"session.timeout.ms": "2000", "heartbeat.interval.ms": "500", "transaction.timeout.ms": "3000"}
"""Milliseconds after which a relay that says nothing has lost its partitions, and its transaction."""
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
            await GroupCommit(storage.committer).commit(WriteSet(events=[life(number)[step]]))


@define(eq=False)
class SignalledProducer(RelayProducer):
    """Sends its own process the signal ``fate``, just before the commit of its second transaction."""

    fate: signal.Signals
    _commits: int = field(default=0, init=False)

    def publish(self, records: Sequence[LogRecord], *given: Any, **named: Any) -> None:
        self._commits += bool(records)
        super().publish(records, *given, **named)

    def _ready(self) -> Any:
        producer = super()._ready()
        if self._commits == 2:
            return BeforeCommit(producer, lambda: os.kill(os.getpid(), self.fate))
        return producer


@frozen
class BeforeCommit:
    """A producer of whom something happens before it commits."""

    producer: Any
    happens: Callable[[], None]

    def commit_transaction(self, timeout: float) -> None:
        self.happens()
        self.producer.commit_transaction(timeout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.producer, name)


async def main(bootstrap_servers: str, topic: str, orders: int, batch: int, fate: str) -> None:
    storage = MemoryStorage()
    await add_orders(storage, range(orders))
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic=topic, properties=QUICK)
    relay = KafkaRelayTopic(settings)
    if fate:
        relay._producer = SignalledProducer(settings, relay.timeout, signal.Signals[fate])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    pending = PublishPending(storage.log, relay, storage.cursors, batch=batch)
    await RunRelay(pending, LocalWakeup().listener())(stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), "".join(sys.argv[5:])))
