"""A script that runs ``orderflow`` with consumers that fail on poison events and, now and then, on others.

Poison is an event of an order whose id names the consumer: it fails until another process handles it. Every hundredth
call of a handler fails after it has done its work, which then must not count.
"""

import logging
import os
import re
from collections.abc import Sequence
from random import Random
from typing import Any

from attrs import field, frozen
from orderflow.application.consuming.consumer import Consumer, ConsumerTransaction
from orderflow.application.event_log.records import Delivery
from orderflow.domain.errors import TransientFailure
from orderflow.entrypoints.cli import main
from orderflow.entrypoints.cli import run as operate
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings

POISON = re.compile(r"poison-(?P<consumer>[a-z]+)-\d+")
POISONED_EVENT = 2
"""The number of the event that is poison: one is handled before it, and others wait behind it."""
OFTEN = 0.01
HANDLER_FAILED = "a handler failed on purpose"

logger = logging.getLogger("campaign")


class PoisonEvent(Exception):
    """A poison event was handled."""


class HandlerFailed(TransientFailure):  # type: ignore[misc,unused-ignore]
    """A handler that fails once, and may succeed the next time."""


@frozen
class FailingHandler:
    consumer: Consumer
    chance: Random = field(factory=Random)

    @property
    def name(self) -> str:
        return str(self.consumer.name)

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> object:
        for delivery in deliveries:
            event = delivery.event
            poison = POISON.fullmatch(event.order_id)
            if poison and poison["consumer"] == self.name and event.sequence == POISONED_EVENT:
                raise PoisonEvent(f"event {event.sequence} of order {event.order_id}")
        result = await self.consumer.handle(deliveries, work)
        if self.chance.random() < OFTEN:
            logger.warning(HANDLER_FAILED)
            raise HandlerFailed(f"{len(deliveries)} events")
        return result

    async def settle(self) -> int:
        return int(await self.consumer.settle())


def failing_container(settings: Settings, **given: Any) -> Any:
    container = container_for(settings, **given)
    shipped = container.consumers()
    seed = os.environ["CAMPAIGN_SEED"]
    container.consumers.override({name: FailingHandler(it, Random(f"{name} {seed}")) for name, it in shipped.items()})
    return container


if __name__ == "__main__":
    operate.build_container = failing_container
    main()
