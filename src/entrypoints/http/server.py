"""The door open on a socket: uvicorn, started and stopped by the caller."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from attrs import define, field
from litestar import Litestar

from ...domain.errors import NotConfigured
from ..shutdown import Stopping
from .app import closing


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the caller's."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


@define(eq=False)
class _LettingGo:
    """``app``, with what it is answering by name; once ``stopping``, each answer closes its connection."""

    app: Any
    stopping: Callable[[], bool]
    under_way: dict[int, str] = field(factory=dict, init=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start" and self.stopping():
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        self.under_way[id(scope)] = f"{scope.get('method', '')} {scope.get('path', '')}"
        try:
            await self.app(scope, receive, sent)
        finally:
            del self.under_way[id(scope)]


async def serve(
    app: Litestar,
    *,
    host: str,
    port: int,
    stop: asyncio.Event | None,
    on_ready: Callable[[str, int], None] | None,
    grace_seconds: int | None,
    stopping: Stopping | None,
    setting: str,
) -> None:
    """What ``orderflow.entrypoints.http.serve`` promises."""
    stopping = stopping or Stopping()
    answering = _LettingGo(app, stopping.begun)
    stopping.watch(lambda: tuple(answering.under_way.values()))
    listening = _listen(host, port, setting)
    taken = listening.getsockname()[1]
    server = _Server(
        uvicorn.Config(
            answering,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=grace_seconds,
        ),
        ready=lambda: on_ready(host, taken) if on_ready is not None else None,
    )
    with contextlib.closing(listening):
        async with app.lifespan():
            running = asyncio.create_task(server.serve(sockets=[listening]))
            asked = asyncio.create_task((stop or asyncio.Event()).wait())
            try:
                await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
                closing(app).set()
                server.should_exit = True
                await running


def _listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket on the first address of ``host``. Raises NotConfigured."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as e:
        raise NotConfigured(
            f"cannot listen on {host}:{port}: {e.strerror or e}", f"free it, or choose another with {setting}"
        ) from e
