"""The HTTP door as a client sees it that is in a hurry: one kept connection, and no library's time between."""

import asyncio
from contextlib import suppress

from attrs import define, field, frozen

PATIENCE = 20.0
"""Seconds that a client waits for an answer; then it does not know what came of its request."""


class Unanswered(Exception):
    """The connection broke, or no answer came in time: what was asked may have been done."""


@frozen
class Said:
    """An answer."""

    status: int
    body: bytes


@define(eq=False)
class Door:
    """One client's connection to the API at ``port``; made when it is needed, and again after it broke."""

    port: int
    token: str
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, init=False)

    async def ask(self, method: str, path: str, body: bytes, key: str) -> Said:
        """Raises Unanswered."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(head.encode() + body)
                return await self._answer(reader)
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Unanswered(f"{method} {path}: {error!r}") from error

    async def _answer(self, reader: asyncio.StreamReader) -> Said:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, after = head.partition(b"content-length:")
        body = await reader.readexactly(int(after.partition(b"\r\n")[0] or 0))
        if b"connection: close" in head:
            self.close()
        return Said(int(head[9:12]), body)

    def close(self) -> None:
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].close()
            self._streams = None
