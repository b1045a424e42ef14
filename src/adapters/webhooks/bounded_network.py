"""Connections on which a receiver cannot send more than an answer has, whatever it is made of."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
from attrs import define, field

MAX_READ = 64 * 1024
"""Bytes that are read after a request: of interim responses, headers and body together."""
PIECE = 4 * 1024
"""Bytes that are read at once. Parsing them takes a moment in which nothing else happens."""


@define(eq=False)
class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection that fails when the answer to what was written last is too long."""

    stream: httpcore.AsyncNetworkStream
    _read: int = field(default=0, init=False)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._read >= MAX_READ:
            raise httpcore.ReadError(f"the answer has more than {MAX_READ} bytes")
        data = await self.stream.read(min(max_bytes, PIECE), timeout)
        self._read += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._read = 0
        await self.stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self.stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return BoundedStream(await self.stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


class BoundedNetwork(httpcore.AnyIOBackend):
    """Opens bounded connections over TCP."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return BoundedStream(await super().connect_tcp(host, port, timeout, local_address, socket_options))
