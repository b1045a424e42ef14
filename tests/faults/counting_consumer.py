"""A consumer without idempotent effects: an event that is handled twice counts twice.

The shipped consumers would notice it; here the cursors alone have to prevent it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from attrs import frozen
from orderflow.application.check import CheckReport
from orderflow.application.consuming.consumer import ConsumerTransaction
from orderflow.application.event_log.records import Delivery

COUNTING = "counting"
EFFECTS = "counting: one effect for each event"


@frozen
class CountingConsumer:
    """Counts each order's events, in the stock of a restaurant of its own."""

    name: str = COUNTING

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        new = Counter((COUNTING, delivery.event.order_id) for delivery in deliveries)
        found = await work.reservations.stock(list(new))
        await work.reservations.put_stock({food: found.get(food, 0) + many for food, many in new.items()})

    async def settle(self) -> int:
        return 0


async def check_counts(storage: Any, effects: Any, report: CheckReport) -> None:
    """Every event of the log was counted once."""
    asked = report.start(EFFECTS, "events")
    heads = await storage.log.heads()
    logged: Counter[str] = Counter()
    for bucket in heads:
        logged.update(record.order_id for record in await storage.log.read({bucket: 0}, limit=heads[bucket]))
    counted = {item.food_id: item.quantity for item in await effects.stock.list(COUNTING)}
    for order_id in logged.keys() | counted.keys():
        asked.compared += logged[order_id]
        if logged[order_id] != (effects_of := counted.get(order_id, 0)):
            asked.differ(f"order {order_id}", f"{effects_of} effects of {logged[order_id]} events")
