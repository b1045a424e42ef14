"""One request and its response, between a connection and an ASGI application."""

import asyncio
import http
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from attrs import define, field

from .connections import Connections
from .errors import title_of

STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, title_of(status).encode()) for status in http.HTTPStatus}
_LINE_END = re.compile(rb"[\r\n\0]")

logger = logging.getLogger("orderflow.http")


class Connection(Protocol):
    """The connection that a request arrived on."""

    transport: asyncio.Transport
    connected: Connections
    default_headers: Callable[[], list[tuple[bytes, bytes]]]
    writable: asyncio.Event
    """Is set while the client reads what it is sent."""

    def ended(self, cycle: "RequestCycle") -> None:
        """Go on after a complete response."""

    def fail(self, cycle: "RequestCycle") -> None:
        """Respond to a request that the application left open, or close the connection."""


@define(eq=False)
class RequestCycle:
    """One request and its response, as ASGI's ``receive`` and ``send``."""

    connection: Connection
    scope: dict[str, Any]
    keep_alive: bool
    expects_continue: bool
    head_only: bool
    body: bytearray = field(factory=bytearray, init=False)
    received: bool = field(default=False, init=False)
    """True once the request has been received."""
    delivered: bool = field(default=False, init=False)
    """True once the application has the whole body."""
    started: bool = field(default=False, init=False)
    ended: bool = field(default=False, init=False)
    live: bool = field(default=False, init=False)
    """True if the response is a live stream, which goes on until the client ends it."""
    disconnected: bool = field(default=False, init=False)
    arrived: asyncio.Event = field(factory=asyncio.Event, init=False)
    _head: bytes = field(default=b"", init=False)
    _remaining: int | None = field(default=None, init=False)
    """Bytes of the response's body that are still to be sent; None if its length is not declared."""
    _chunked: bool = field(default=False, init=False)
    _without_body: bool = field(default=False, init=False)

    async def run(self, app: Any) -> None:
        """Run ``app``, which responds itself to its errors. What it leaves open closes the connection."""
        running = self.connection.connected.running
        running.add(self)
        try:
            await app(self.scope, self.receive, self.send)
            complete = self.ended or self.disconnected
        except Exception:
            logger.exception("the application failed")
            complete = False
        finally:
            running.discard(self)
        if not complete:
            self.connection.fail(self)

    async def receive(self) -> dict[str, Any]:
        if self.expects_continue and not (self.started or self.disconnected):
            self.expects_continue = False
            self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not (self.disconnected or self.ended or self.body or (self.received and not self.delivered)):
            if not self.received:
                self.connection.transport.resume_reading()
            self.arrived.clear()
            await self.arrived.wait()
        if self.disconnected or self.ended:
            return {"type": "http.disconnect"}
        body, self.body, self.delivered = bytes(self.body), bytearray(), self.received
        return {"type": "http.request", "body": body, "more_body": not self.received}

    async def send(self, message: Any) -> None:
        """Send a part of the response. The head is written with the first part of a body of known length."""
        await self.connection.writable.wait()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        else:
            self._write(message.get("body", b""), more=message.get("more_body", False))

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        if self.started:
            raise RuntimeError("the response has been started already")
        self.started = True
        lines = [STATUS_LINES[status]]
        for name, value in (*self.connection.default_headers(), *headers):
            if _LINE_END.search(value):
                raise RuntimeError(f"the header {name!r} contains the end of a line")
            lowered = name.lower()
            if lowered == b"content-length":
                self._remaining = int(value)
            elif lowered == b"content-type":
                self.live = value.startswith(b"text/event-stream")
            elif lowered == b"connection":  # this end decides
                self.keep_alive = self.keep_alive and value.lower() != b"close"
                continue
            lines += (name, b": ", value, b"\r\n")
        self._without_body = self.head_only or status in (204, 304)
        if self._remaining is None and not self._without_body:
            self._chunked = self.scope["http_version"] == "1.1"
            self.keep_alive = self.keep_alive and self._chunked
            if self._chunked:
                lines.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive or not self.received or self.connection.connected.stopping():
            self.keep_alive = False
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        if self._remaining is None:
            self._write(b"", more=True)

    def _write(self, body: bytes, *, more: bool) -> None:
        if not self.started or self.ended:
            raise RuntimeError("the response is not open")
        if self._without_body:
            body = b""
        elif self._remaining is not None:
            self._remaining -= len(body)
            if self._remaining < 0 or (self._remaining and not more):
                raise RuntimeError("the response has another length than it declares")
        elif self._chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        head, self._head = self._head, b""
        if head or body:
            self.connection.transport.write(head + body)
        if not more:
            self.ended = True
            self.arrived.set()
            self.connection.ended(self)

    def disconnect(self) -> None:
        self.disconnected = True
        self.arrived.set()
