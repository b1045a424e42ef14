"""``hostile``: what an API process does under callers that are slow, many or hostile, on SQLite."""

import asyncio
import os
from contextlib import AsyncExitStack
from time import perf_counter

import httpx
import psutil
from tests.support.stack import PROGRAM

from .finding import Effort, Finding
from .servers import Servers

HALF_OPEN = 1_200
UNREAD = 100
STREAMS = 200
LINES = 100
ACTOR = {"X-Actor": "admin:bench"}
HEAD = b"Host: bench\r\nX-Actor: admin:bench\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: bench\r\n\r\n"


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    environment = {
        **os.environ,
        "ORDERFLOW_DATABASE_URL": servers.sqlite(),
        "ORDERFLOW_HTTP_PORT": "0",
        "ORDERFLOW_LOG_FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "serve", "--no-relay", "--no-consumers"),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    try:
        port = await _port(process.stderr)
        log = asyncio.create_task(_drain(process.stderr))
        found = await _attacks(port, psutil.Process(process.pid), effort)
    finally:
        process.terminate()
        await process.wait()
    written = await log
    return [*found, Finding(what="log written", values=[written / 1e6], unit="MB")]


async def _port(stderr: asyncio.StreamReader) -> int:
    while line := await stderr.readline():
        if b'"listening"' in line:
            return int(line.partition(b'"url":"http://127.0.0.1:')[2].partition(b'"')[0])
    raise RuntimeError("the API did not start")


async def _drain(stderr: asyncio.StreamReader) -> int:
    written = 0
    while text := await stderr.read(65_536):
        written += len(text)
    return written


async def _attacks(port: int, process: psutil.Process, effort: Effort) -> list[Finding]:
    found = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    kept = [await _response_seconds(reader, writer) * 1_000 for _ in range(20)]
    found.append(Finding(what="response on a kept connection", values=kept, unit="ms"))
    writer.close()

    before = process.cpu_times().user
    hostile = b"GET /v1/orders?" + effort.of(30_000, least=1_000) * b"1@" + b"=x HTTP/1.1\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(hostile + HEAD + b"Connection: close\r\n\r\n")
    await reader.read()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _response_seconds(reader, writer)  # so the log line of the request before it is written
    writer.close()
    found.append(Finding(what="processor time of a query of @", values=[process.cpu_times().user - before], unit="s"))

    async with AsyncExitStack() as closing:
        for _ in range(effort.of(HALF_OPEN, least=10)):
            _, half = await asyncio.open_connection("127.0.0.1", port)
            closing.callback(half.close)
            half.write(b"GET /livez HTTP/1.1\r\nHost:")
        found.append(Finding(what="open files with half-open requests", values=[process.num_fds()]))

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=ACTOR, timeout=300) as client:
        line = {"foodId": "F", "foodName": "x" * 200, "price": 1, "quantity": 1}
        body = {"userId": "C1", "restaurantId": "R7", "orderDetails": [line] * LINES, "paymentMethod": "cash"}
        await _until_answered(client)
        for _ in range(effort.of(200, least=5)):
            (await client.post("/v1/orders", json=body)).raise_for_status()
        resident = process.memory_info().rss
        async with AsyncExitStack() as closing:
            for _ in range(effort.of(UNREAD, least=5)):
                silent, unread = await asyncio.open_connection("127.0.0.1", port)
                closing.callback(unread.transport.abort)
                unread.write(b"GET /v1/orders?limit=200 HTTP/1.1\r\n" + HEAD + b"\r\n")
                await silent.readuntil(b"\r\n\r\n")  # the response has begun; asyncio reads 128 KiB more of it
            grown = (process.memory_info().rss - resident) / 1e6
        found.append(Finding(what="memory for lists that are not read", values=[grown], unit="MB"))

        order_id = (await client.get("/v1/orders?limit=1")).json()["orders"][0]["orderId"]
        async with AsyncExitStack() as closing:
            for _ in range(effort.of(STREAMS, least=5)):
                _, stream = await asyncio.open_connection("127.0.0.1", port)
                closing.callback(stream.transport.abort)
                stream.write(b"GET /v1/orders/" + order_id.encode() + b"/stream HTTP/1.1\r\n" + HEAD + b"\r\n")
            reads = []
            for _ in range(20):
                began = perf_counter()
                await client.get(f"/v1/orders/{order_id}")
                reads.append((perf_counter() - began) * 1_000)
        found.append(Finding(what=f"a read beside {STREAMS} streams", values=reads, unit="ms"))
    return found


async def _response_seconds(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    began = perf_counter()
    writer.write(LIVEZ)
    await reader.readuntil(b'{"status":"alive"}')
    return perf_counter() - began


async def _until_answered(client: httpx.AsyncClient) -> None:
    while True:
        try:
            if (await client.get("/livez")).status_code == 200:
                return
        except httpx.TransportError:
            continue
