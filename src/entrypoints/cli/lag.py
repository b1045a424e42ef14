"""``orderflow lag``: how far the readers of the log are behind."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...application.event_log.records import RELAY
from ...application.health.facts import ConnectionFailure
from ...application.health.lag import ReaderLag
from ...domain.errors import InvalidInput, StreamUnavailable
from .session import rows, session

if TYPE_CHECKING:
    from ..container import Container

KAFKA_SECONDS = 20.0
"""The time-out of reading the groups' lag: a coordinator that is just starting takes some seconds."""


async def lag(*, wait: float | None = None) -> int:
    """Show how far the relay and the consumers are behind the log.

    That is the number of events that each has not processed, the number that is held back, and the lag of the consumer
    groups on Kafka. --wait SECONDS waits until there is no lag, at most that
    long, and exits with 1 if there still is. It does not wait for events that are held back or for paused consumers.
    """
    refuse_negative(wait or 0)
    async with session().opened() as container:
        found = await caught_up(container, wait or 0)
        groups = await _group_lags(container)
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
    columns = ("reader", "events to come", "held back", "state", "lag of the Kafka group")
    cells = ((d["reader"], d["events"], d["held"], "paused" if d["paused"] else "", d["kafkaGroup"]) for d in data)
    session().show(data, rows(*columns, of=cells))
    return 1 if wait is not None and any(each.pending for each in found) else 0


def refuse_negative(wait: float) -> None:
    """Raise InvalidInput unless ``wait`` is a number of seconds to wait."""
    if not 0 <= wait < float("inf"):
        raise InvalidInput("wait", str(wait), "seconds, 0 or more")


async def caught_up(container: "Container", seconds: float) -> Sequence[ReaderLag]:
    """Wait until relay and consumers have no lag, at most ``seconds``, and return their lag then."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found: Sequence[ReaderLag] = await container.lag()()
        if not any(each.pending for each in found) or asyncio.get_running_loop().time() >= deadline:
            return found
        await asyncio.sleep(0.1)


async def _group_lags(container: "Container") -> Mapping[str, int]:
    """Return the lag of each consumer's group as Kafka knows it. Raises StreamUnavailable."""
    if (health := container.stream_health(timeout=KAFKA_SECONDS)) is None:
        return {}
    try:
        facts = await health.facts(clock=False)
    finally:
        await health.close()
    if isinstance(facts, ConnectionFailure):
        raise StreamUnavailable("Kafka", f"reading the lag of the groups: {facts}")
    if facts.topic is None:
        raise StreamUnavailable("Kafka", "reading the lag of the groups: there is no such topic")
    return {name: group.lag(facts.topic) for name, group in facts.groups.items() if name != RELAY}
