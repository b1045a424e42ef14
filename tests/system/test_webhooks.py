"""A process that sends webhooks is killed, and another one goes on: nothing is lost, and each order is in sequence."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from orderflow.testing.consumers.webhook_receiver import Receiver
from orderflow.testing.waiting import eventually_async

from tests.support.installation import Installation, installation
from tests.support.stack import Stack

BOSS = {"X-Actor": "admin:boss"}
ORDERS = 20
LIFE = [1, 2, 3, 4, 5, 6, 7]


@pytest.fixture
def orderflow(tmp_path: Path) -> Iterator[Installation]:
    """An installation on a SQLite file, without Kafka."""
    with installation(Stack(tmp_path, f"sqlite:///{tmp_path}/orderflow.db", "", "orders")) as here:
        yield here


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def test_a_killed_sender_loses_nothing(orderflow: Installation, receiver: Receiver) -> None:
    private = {"WEBHOOK_PRIVATE_ADDRESSES": "true"}
    service = orderflow.start("serve", "--no-consumers", HTTP_DEV="true", **private)
    url = await asyncio.to_thread(lambda: service.url)
    sender = orderflow.start("consume", "webhooks", **private)
    async with httpx.AsyncClient(base_url=url, headers=BOSS, timeout=180) as client:
        added = (await client.post("/v1/webhook-endpoints", json={"url": receiver.url})).raise_for_status().json()
        receiver.secret = added["secret"]
        living = [asyncio.create_task(_live(client, f"o{number}")) for number in range(ORDERS)]
        await eventually_async(lambda: len(receiver.received) > 10, that="some events have arrived")

        await asyncio.to_thread(sender.exit_code, signal.SIGKILL)
        await asyncio.gather(*living)
        orderflow.start("consume", "webhooks", **private)
        await eventually_async(lambda: _all_there(receiver), deadline=180, that="all events have arrived")

    accepted = receiver.accepted()
    assert all(sequences == sorted(sequences) for sequences in accepted.values()), accepted
    assert all(it.verified for it in receiver.received)


async def _live(client: httpx.AsyncClient, order_id: str) -> None:
    line = {"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 1}
    order: dict[str, Any] = {"orderId": order_id, "userId": "C1", "restaurantId": "R7", "orderDetails": [line]}
    (await client.post("/v1/orders", json={**order, "paymentMethod": "cash"})).raise_for_status()
    (await client.put(f"/v1/orders/{order_id}/shipper", json={"shipperId": "S3"})).raise_for_status()
    for state in ("on_the_way", "delivered"):
        (await client.patch(f"/v1/orders/{order_id}/state", json={"state": state})).raise_for_status()


def _all_there(receiver: Receiver) -> bool:
    accepted = receiver.accepted()
    return len(accepted) == ORDERS and all(sorted(set(it)) == LIFE for it in accepted.values())
