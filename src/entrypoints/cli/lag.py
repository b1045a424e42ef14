"""TODO."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ...application.health.lag import ReaderLag
from ...domain.errors import InvalidInput
from ..container import CONSUMERS
from .session import rows, session


async def lag(*, wait: float | None = None) -> int:
    """Events of the log that each reader has yet to come to; beside it what is held back, and Kafka's own group lag.

    --wait SECONDS: until there is none, at most so long; exit 1 when some is left. Nobody waits for what is held back,
    nor for a consumer that is paused.
    """
    refuse_negative(wait or 0)
    async with session().opened() as container:
        found = await caught_up(container, wait or 0)
        groups = await group_lags(container)
    data = [
        {
            "reader": each.reader,
            "events": each.events,
            "held": each.held,
            "paused": each.paused,
            "kafkaGroup": groups.get(each.reader),
        }
        for each in found
    ]
    columns = ("reader", "events to come", "held back", "state", "Kafka's group lag")
    shown = ((d["reader"], d["events"], d["held"], "paused" if d["paused"] else "", d["kafkaGroup"]) for d in data)
    session().show(data, rows(*columns, of=shown))
    return 1 if wait is not None and any(each.waited_for for each in found) else 0


def refuse_negative(wait: float) -> None:
    """Raises InvalidInput for what is no time to wait, in seconds."""
    if not 0 <= wait < float("inf"):
        raise InvalidInput("wait", str(wait), "seconds, 0 or more")


async def caught_up(container: Any, seconds: float) -> Sequence[ReaderLag]:
    """What relay and consumers have yet to come to, as soon as that is nothing, or after so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found: Sequence[ReaderLag] = await container.lag()()
        if not any(each.waited_for for each in found) or asyncio.get_running_loop().time() >= deadline:
            return found
        await asyncio.sleep(0.1)


async def group_lags(container: Any) -> Mapping[str, int]:
    if container.kafka() is None:
        return {}
    from ...adapters.kafka import GroupLag

    asked = GroupLag(container.kafka())
    groups = {container.kafka().consumer_group(name): name for name in CONSUMERS}
    try:
        found = await asked.of(groups)
    finally:
        await asked.close()
    return {groups[group]: sum(part.lag for part in parts) for group, parts in found.items()}
