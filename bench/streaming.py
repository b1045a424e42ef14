"""``streams``: what 200 live streams of all orders cost an API process in memory, on SQLite."""

import asyncio
import json
from contextlib import AsyncExitStack
from time import perf_counter

import httpx
import psutil

from .finding import Effort, Finding
from .servers import Servers, api_process

STREAMS = 200
OPEN_ORDERS = 300
CHANGES = 20
MEGABYTES = 150.0
HEAD = "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:A{}\r\n\r\n"


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    async with api_process(servers.sqlite(), HTTP_WRITE_SECONDS="600") as api:
        return await _measured(api.port, api.process, effort)


async def _measured(port: int, process: psutil.Process, effort: Effort) -> list[Finding]:
    streams, changes = effort.of(STREAMS, least=5), effort.of(CHANGES, least=5)
    headers = {"X-Actor": "admin:boss"}
    async with (
        AsyncExitStack() as closing,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120) as client,
    ):
        orders = effort.of(OPEN_ORDERS, least=10)
        for start in range(0, orders, 100):
            batch = [_order(number) for number in range(start, min(orders, start + 100))]
            (await client.post("/v1/orders:batch", content=json.dumps(batch), headers=_JSON)).raise_for_status()
        (await client.get("/v1/orders?limit=200")).raise_for_status()
        before = process.memory_info().rss / 1e6
        readers = []
        for number in range(streams):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
            closing.callback(writer.close)
            writer.write(HEAD.format(number % 50).encode())
            readers.append(reader)
        await asyncio.gather(*(_until(reader, b'"last":true') for reader in readers))
        opened = process.memory_info().rss / 1e6
        began, used = perf_counter(), sum(process.cpu_times()[:2])
        for number in range(changes):
            (await client.post("/v1/orders", json=_order(orders + number))).raise_for_status()
            await asyncio.gather(*(_until(reader, b"event: order.created") for reader in readers))
        took = perf_counter() - began
        after = process.memory_info().rss / 1e6
        seconds = sum(process.cpu_times()[:2]) - used
    return [
        Finding(
            what=f"memory of {streams} streams of {orders:,} orders",
            values=[max(opened, after) - before],
            unit="MB",
            ceiling=MEGABYTES,
            aside=f"{before:.0f} MB with none, {opened:.0f} MB once opened, {after:.0f} MB after {changes} changes",
        ),
        Finding(
            what="from a request to its event on all of them",
            values=[took / changes * 1_000],
            unit="ms",
            aside=f"{seconds / changes * 1_000:.1f} ms of processor time",
        ),
    ]


async def _until(reader: asyncio.StreamReader, text: bytes) -> None:
    """Read up to and including a line with ``text``, and what follows it in its message."""
    while text not in (line := await reader.readline()):
        if not line:
            raise RuntimeError("a stream was cut off")


_JSON = {"Content-Type": "application/json"}


def _order(number: int) -> dict[str, object]:
    return {
        "orderId": f"O{number}",
        "userId": f"C{number % 50}",
        "restaurantId": f"R{number % 20}",
        "orderDetails": [{"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 2}],
        "paymentMethod": "cash",
        "customerName": "Ann Smith",
        "customerPhone": "+1 212 555 0100",
    }
