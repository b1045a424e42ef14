"""``webhooks``: deliveries to one endpoint, sent and stored by one process, against bare requests."""

from time import perf_counter

import httpx
from orderflow import OrderFlow
from orderflow.application.replay.replay_range import ReplayStart
from orderflow.application.webhooks.send_deliveries import CONCURRENCY
from orderflow.testing.consumers.webhook_receiver import Receiver, accept
from tests.support.waiting import eventually_async

from .creating import ADMIN, CALLERS, new_order, rate
from .finding import Effort, Finding, in_turn, rates, ratios
from .servers import Servers

ORDERS = 3000
FEWEST = 200
"""With fewer, all are received before the first one is noticed."""
SHARE_OF_BARE = 0.1


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    orders = effort.of(ORDERS, least=FEWEST)
    receiver = Receiver(answer=accept)
    opened = OrderFlow.open(servers.database(), consumers=["webhooks"], webhook_private_addresses=True)
    async with receiver, opened as flow:
        await rate(orders, lambda number: flow.use_cases.create_order(new_order(number), by=ADMIN), CALLERS)
        change = flow.container.change_endpoints()

        async def webhooks() -> float:
            receiver.received.clear()
            endpoint, receiver.secret = await change.add(receiver.url, start=ReplayStart.parse("1"))
            await _received(receiver, 1)
            before, began = len(receiver.received), perf_counter()
            await _received(receiver, orders)
            took = perf_counter() - began
            await change.remove(endpoint.id, by="bench", reason="the end of a turn")
            return (orders - before) / took

        async def bare() -> float:
            async with httpx.AsyncClient() as client:
                body = receiver.received[0].body if receiver.received else b"{}"
                return await rate(orders, lambda _: client.post(receiver.url, content=body), CONCURRENCY)

        ours, peer = await in_turn(effort, webhooks, bare)
    return [
        Finding(
            what="webhooks to one endpoint / bare requests",
            values=ratios(ours, peer),
            floor=SHARE_OF_BARE,
            aside=rates("deliveries", orderflow=ours, httpx=peer) + f"; {CONCURRENCY} at once",
        )
    ]


async def _received(receiver: Receiver, number: int) -> None:
    await eventually_async(lambda: len(receiver.received) >= number, deadline=600)
