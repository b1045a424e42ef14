"""Responses in parts, which are sent as they are made."""

import asyncio
from contextlib import aclosing
from typing import Any

from litestar import Litestar, Request
from litestar.response import Stream


class PartsResponse(Stream):
    """A response in parts, of an asynchronous generator, which is cancelled once if the client disconnects.

    Litestar itself would cancel it at each await again, so that nothing could be given back in order: a connection that
    was reading would be lost to its pool.
    """

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **options: Any) -> Any:
        response = super().to_asgi_response(app, request, **options)

        async def respond(scope: Any, receive: Any, send: Any) -> None:
            await response.start_response(send)
            sending, leaving = asyncio.ensure_future(self._send(send)), asyncio.ensure_future(_left(receive))
            try:
                await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                leaving.cancel()
                await asyncio.wait((sending, leaving))
            if not sending.cancelled():
                sending.result()

        return respond

    async def _send(self, send: Any) -> None:
        parts: Any = self.iterator
        async with aclosing(parts):
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Any) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
