"""``hostile``: what an API process does under callers that are slow, many or hostile, on SQLite."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

import httpx
import psutil

from .finding import Effort, Finding
from .servers import Servers, api_process

HALF_OPEN = 1_200
UNREAD = 100
STREAMS = 2_000
FLOOD = 20_000
LINES = 100
HOSTILE, OTHER = "127.0.0.1", "127.0.0.2"
"""The addresses of the hostile clients, and of the client that is measured meanwhile."""
HEAD = b"Host: localhost\r\nX-Actor: customer:C1\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: bench\r\n\r\n"


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    async with api_process(servers.sqlite()) as api:
        alive = asyncio.create_task(_probe(api.operations_port))
        found = await _attacks(api.port, api.process, effort)
        alive.cancel()
    return [
        *found,
        Finding(what="livez on the operations port, meanwhile", values=await alive, unit="ms"),
        Finding(what="log written", values=[await api.log / 1e6], unit="MB"),
    ]


async def _probe(port: int) -> list[float]:
    """Request ``/livez`` ten times a second until the task is cancelled, and return the milliseconds of each."""
    took = []
    try:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            took.append(await _response_seconds(reader, writer) * 1_000)
            writer.close()
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return took


async def _attacks(port: int, process: psutil.Process, effort: Effort) -> list[Finding]:
    found = []
    reader, writer = await asyncio.open_connection(HOSTILE, port)
    kept = [await _response_seconds(reader, writer) * 1_000 for _ in range(20)]
    found.append(Finding(what="response on a kept connection", values=kept, unit="ms"))
    writer.close()

    before = process.cpu_times().user
    hostile = b"GET /v1/orders?" + effort.of(30_000, least=1_000) * b"1@" + b"=x HTTP/1.1\r\n"
    reader, writer = await asyncio.open_connection(HOSTILE, port)
    writer.write(hostile + HEAD + b"Connection: close\r\n\r\n")
    await reader.read()
    reader, writer = await asyncio.open_connection(HOSTILE, port)
    await _response_seconds(reader, writer)  # so the log line of the request before it is written
    writer.close()
    found.append(Finding(what="processor time of a query of @", values=[process.cpu_times().user - before], unit="s"))

    async with AsyncExitStack() as closing:
        for _ in range(effort.of(HALF_OPEN, least=10)):
            _, half = await asyncio.open_connection(HOSTILE, port)
            closing.callback(half.close)
            half.write(b"GET /livez HTTP/1.1\r\nHost:")
        found.append(Finding(what="open files with half-open requests", values=[process.num_fds()]))

    found.append(Finding(what="flood of requests without a token", values=[await _flood(port, effort)], unit="s"))

    transport = httpx.AsyncHTTPTransport(local_address=OTHER)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=300) as client:
        client.headers["X-Actor"] = "admin:bench"
        line = {"foodId": "F", "foodName": "x" * 200, "price": 1, "quantity": 1}
        body = {"userId": "C1", "restaurantId": "R7", "orderDetails": [line] * LINES, "paymentMethod": "cash"}
        await _until_answered(client)
        for _ in range(effort.of(200, least=5)):
            placed = await client.post("/v1/orders", json=body)
            placed.raise_for_status()
        order = f"/v1/orders/{placed.json()['orderId']}"

        before = _peak(process)
        began = perf_counter()
        async with AsyncExitStack() as closing:
            silent = []
            for _ in range(effort.of(UNREAD, least=5)):
                reader, unread = await asyncio.open_connection(HOSTILE, port)
                closing.callback(_abort, unread)
                unread.write(b"GET /v1/orders?limit=200 HTTP/1.1\r\n" + HEAD + b"\r\n")
                silent.append(reader)
            reading = asyncio.create_task(_reads(client, order))
            for reader in silent:
                await reader.readuntil(b"\r\n\r\n")  # the response has begun; asyncio reads 128 KiB more of it
            took = perf_counter() - began
            reads = await reading
        found.append(Finding(what=f"until {UNREAD} lists of large orders are answered", values=[took], unit="s"))
        found.append(Finding(what="a read meanwhile", values=reads, unit="ms"))
        found.append(Finding(what="memory for them", values=[_peak(process) - before], unit="MB"))

        async with AsyncExitStack() as closing:
            for _ in range(effort.of(STREAMS, least=5)):
                _, stream = await asyncio.open_connection(HOSTILE, port)
                closing.callback(_abort, stream)
                stream.write(b"GET " + order.encode() + b"/stream HTTP/1.1\r\n" + HEAD + b"\r\n")
            reads = await _reads(client, order)
        found.append(Finding(what=f"a read during {STREAMS} streams of one customer", values=reads, unit="ms"))
    return found


def _abort(writer: asyncio.StreamWriter) -> None:
    """Abort a connection. A reference to its transport alone would not keep it open: a lost writer closes it."""
    writer.transport.abort()


async def _flood(port: int, effort: Effort) -> float:
    """Send requests with a wrong token on a few connections, and return the seconds that they took."""
    wrong = b"GET /v1/orders HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer of_wrong\r\n\r\n"

    async def one(requests: int) -> None:
        reader, writer = await asyncio.open_connection(HOSTILE, port)
        for _ in range(requests):
            writer.write(wrong)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()

    began = perf_counter()
    await asyncio.gather(*(one(effort.of(FLOOD, least=100) // 10) for _ in range(10)))
    return perf_counter() - began


async def _reads(client: httpx.AsyncClient, path: str) -> list[float]:
    took = []
    for _ in range(20):
        began = perf_counter()
        (await client.get(path)).raise_for_status()
        took.append((perf_counter() - began) * 1_000)
    return took


async def _response_seconds(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    began = perf_counter()
    writer.write(LIVEZ)
    await reader.readuntil(b'{"status":"alive"}')
    return perf_counter() - began


def _peak(process: psutil.Process) -> float:
    """Return the largest memory that the process ever had, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


async def _until_answered(client: httpx.AsyncClient) -> None:
    while True:
        try:
            if (await client.get("/livez")).status_code == 200:
                return
        except httpx.TransportError:
            continue
