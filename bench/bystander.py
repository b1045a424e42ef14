"""``python -m bench.bystander``: asks for ``/livez`` and reads an order, in a process of its own.

The process of the hostile clients is busy itself, so that what it measured would be its own delays, too.
It reads a JSON object from standard input: ``livez`` has the ports by name, ``order`` the URL of the order. At the end
of the input it writes what it measured; a failed ``/livez`` ends it at once, with the ``failure``.
"""

import asyncio
import json
import sys
from time import perf_counter
from typing import Any

import httpx

ONCE = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request, which no server can close between two requests."""


async def measured(asked: dict[str, Any]) -> dict[str, Any]:
    """Measure until standard input ends, or a ``/livez`` fails."""
    lives: list[float] = []
    reads: list[float] = []
    refused = 0

    async def probe(name: str, port: int) -> str:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=ONCE) as client:
            while True:
                began = perf_counter()
                try:
                    (await client.get("/livez")).raise_for_status()
                except httpx.HTTPError as error:
                    return f"{name}: {type(error).__name__}: {error}"
                lives.append((perf_counter() - began) * 1_000)
                await asyncio.sleep(0.2)

    async def read() -> str:
        nonlocal refused
        async with httpx.AsyncClient(headers={"X-Actor": "admin:reader"}, timeout=60) as client:
            while True:
                began = perf_counter()
                try:
                    (await client.get(asked["order"])).raise_for_status()
                except httpx.HTTPError:
                    refused += 1
                else:
                    reads.append((perf_counter() - began) * 1_000)
                await asyncio.sleep(0.25)

    async def ended() -> str:
        await asyncio.to_thread(sys.stdin.read)
        return ""

    tasks = [asyncio.create_task(each) for each in (ended(), read(), *(probe(*it) for it in asked["livez"].items()))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
    failure = "; ".join(it.result() for it in done if it.result())
    return {"lives": lives, "reads": reads, "refused": refused, "failure": failure}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measured(json.loads(sys.stdin.readline())))))
