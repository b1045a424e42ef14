"""A real HTTP server on loopback that receives webhooks, and verifies each with the package as a stranger would."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from attrs import define, field, frozen
from standardwebhooks import Webhook, WebhookVerificationError

from ...adapters.webhooks.http_client import HttpWebhookClient, Limits
from ...adapters.webhooks.signing import new_secret
from ...application.webhooks.change_endpoints import ChangeEndpoints
from ...application.webhooks.resend import ResendDeliveries, SendTest
from ..clock import ManualClock as HandClock

Answer = Callable[["Exchange"], Awaitable[None]]


@frozen
class ReceivedRequest:
    """One request: its headers in lower case, its body, and whether the receiver's secret verifies it."""

    headers: Mapping[str, str]
    body: bytes
    verified: bool

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]

    @property
    def order_id(self) -> str:
        return str(self.message["data"]["orderId"])

    @property
    def sequence(self) -> int:
        return int(self.message["sequence"])


@frozen
class Exchange:
    """A request, and what to answer it by."""

    received: ReceivedRequest
    writer: asyncio.StreamWriter

    async def say(self, status: str, body: bytes = b"", **headers: str) -> None:
        """Answer whole."""
        lines = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)
        await self.writer.drain()

    def hang_up(self) -> None:
        self.writer.close()


async def accept(exchange: Exchange) -> None:
    await exchange.say("204 No Content")


def refuse(status: str, body: bytes = b"", **headers: str) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.say(status, body, **headers)

    return answer


async def hang(exchange: Exchange) -> None:
    """Answer nothing, for as long as the sender waits."""
    await asyncio.sleep(3600)


async def drip(exchange: Exchange) -> None:
    """Send a body without end, a byte at a time."""
    exchange.writer.write(b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        exchange.writer.write(b"1\r\nx\r\n")
        await exchange.writer.drain()
        await asyncio.sleep(0.01)


async def flood(exchange: Exchange) -> None:
    """Accept, and send a body without end as fast as possible."""
    exchange.writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        exchange.writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await exchange.writer.drain()


async def break_off(exchange: Exchange) -> None:
    """Close in the middle of the headers."""
    exchange.writer.write(b"HTTP/1.1 200 O")
    await exchange.writer.drain()
    exchange.hang_up()


@define(eq=False)
class Receiver:
    """Keeps what it ``received``; ``answer`` decides what comes back. ``secret`` is set once the endpoint has one."""

    answer: Answer = accept
    secret: str = ""
    certificate: ssl.SSLContext | None = None
    received: list[ReceivedRequest] = field(factory=list, init=False)
    port: int = field(default=0, init=False)
    connections: int = field(default=0, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _talks: "set[asyncio.Task[None]]" = field(factory=set, init=False)

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}/hooks"

    @property
    def ids(self) -> list[str]:
        return [it.id for it in self.received]

    def accepted(self) -> dict[str, list[int]]:
        """Return the sequences by order, in the order in which they came."""
        found: dict[str, list[int]] = {}
        for it in self.received:
            found.setdefault(it.order_id, []).append(it.sequence)
        return found

    async def start(self) -> None:
        """Listen, at the port of before if there is one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.certificate)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and break all connections."""
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            while not writer.is_closing():
                await self.answer(Exchange(await self._read(reader), writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the sender has gone, or the test has ended
        finally:
            self._talks.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> ReceivedRequest:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        received = ReceivedRequest(headers, body, self._verifies(headers, body))
        self.received.append(received)
        return received

    def _verifies(self, headers: dict[str, str], body: bytes) -> bool:
        if not self.secret:
            return False
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            return False
        return True


def webhook_use_cases(storage: Any, effects: Any, clock: HandClock) -> tuple[Any, Any, Any, Any]:
    """Return what the routes of webhooks call; private addresses are allowed."""
    given: dict[str, Any] = {
        "webhooks": effects.webhooks,
        "log": storage.log,
        "maintenance_log": storage.maintenance_log,
        "clock": clock,
        "now": clock.of_storage,
    }
    change = ChangeEndpoints(
        store=effects.store,
        new_id=lambda: str(uuid4()),
        new_secret=new_secret,
        buckets=lambda: 256,
        private=True,
        **given,
    )
    test = SendTest(
        webhooks=effects.webhooks,
        new_client=lambda: HttpWebhookClient(Limits(seconds=5.0, private=True), "orderflow/test"),
        new_id=lambda: str(uuid4()),
        now=clock.of_storage,
    )
    return effects.webhooks, change, ResendDeliveries(wake=lambda: None, **given), test
