"""Responses in parts, whose clients may disconnect at any time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, get
from litestar.response import Stream
from orderflow.entrypoints.http.parts import PartsResponse

DEADLINE = 60.0
SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 2),
    "scheme": "http",
    "root_path": "",
}


async def test_what_is_read_for_a_client_that_disconnects_is_given_back_in_order() -> None:
    left, closing, closed = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop().create_future()
    given_back, sent = [], list[Any]()

    async def parts() -> AsyncIterator[bytes]:
        try:
            yield b"1"
            await asyncio.Event().wait()
        finally:
            closing.set()
            await closed
            given_back.append(True)

    @get("/")
    async def handler() -> Stream:
        return PartsResponse(parts())

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message.get("body") == b"1":
            left.set()

    app: Any = Litestar([handler], logging_config=None)

    async with asyncio.timeout(DEADLINE):
        responding = asyncio.create_task(app(SCOPE.copy(), receive, send))
        await closing.wait()
        for _ in range(10):  # turns of the event loop
            await asyncio.sleep(0)
        closed.set_result(None)
        await responding

    assert [message.get("body") for message in sent] == [None, b"1"]
    assert given_back == [True]
