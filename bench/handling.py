"""``handler``: an application's own function as a consumer of the topic, as ``orderflow consume NAME`` runs it."""

from collections.abc import Sequence

from orderflow.adapters.sql import SqlStorage
from orderflow.application.consuming.handlers import HandlerConsumer, HandlerInBatches, event_types
from orderflow.domain.events import OrderEvent

from .consuming import BATCH, ORDERS, consumed, publish
from .finding import Effort, Finding, in_turn, rates, ratios
from .history import lived, records
from .servers import Servers

SHARE_ONE_BY_ONE = 0.1
ENOUGH = 1_000.0
"""Events a second that one process must handle, by the issue that asked for handlers."""
SINGLE, PLAIN, TOGETHER = 3.0, 0.1, 0.8


async def _asynchronous(event: OrderEvent) -> None: ...


def _plain(event: OrderEvent) -> None: ...


def _together(events: Sequence[OrderEvent]) -> None: ...


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    given = await records(await lived(effort.of(ORDERS)))
    topic = servers.topic()
    publish(topic, given)
    storage = SqlStorage.at(servers.database())
    await storage.open()
    few = max(1, round(len(given) * SHARE_ONE_BY_ONE))
    types = event_types()
    try:

        async def one_event() -> float:
            consumer = HandlerInBatches(HandlerConsumer("kitchen", types, _asynchronous))
            return await consumed(storage, topic, BATCH, len(given), consumer)

        async def on_a_thread() -> float:
            consumer = HandlerInBatches(HandlerConsumer("kitchen", types, _plain))
            return await consumed(storage, topic, BATCH, len(given), consumer)

        async def a_list() -> float:
            consumer = HandlerConsumer("kitchen", types, _together, batch=True)
            return await consumed(storage, topic, BATCH, len(given), consumer)

        async def one_by_one() -> float:
            return await consumed(storage, topic, 1, few, HandlerConsumer("kitchen", types, _asynchronous))

        each, plain, lists, one = await in_turn(effort, one_event, on_a_thread, a_list, one_by_one)
    finally:
        await storage.close()
    return [
        Finding(
            what="handler / 1,000 events a second",
            values=[rate / ENOUGH for rate in each],
            floor=1.0,
            aside=rates("events", **{"async def": each}),
        ),
        Finding(
            what="handler / a commit per event",
            values=ratios(each, one),
            floor=SINGLE,
            aside=rates("events", batches=each, **{"of 1": one}),
        ),
        Finding(
            what="handler on a thread / async",
            values=ratios(plain, each),
            floor=PLAIN,
            aside=rates("events", plain=plain),
        ),
        Finding(
            what="handler of lists / async",
            values=ratios(lists, each),
            floor=TOGETHER,
            aside=rates("events", lists=lists),
        ),
    ]
