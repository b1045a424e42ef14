"""Serves an application with uvicorn, which the caller starts and stops."""

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
from .app import closing_event
from .connections import ConnectionLimits, protocol
from .metrics import InstrumentedApp


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the caller."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


@define(eq=False)
class _Draining:
    """Wraps ``app`` and keeps the requests in progress. Once ``stopping``, each response closes its connection."""

    app: Any
    stopping: Callable[[], bool]
    in_progress: dict[int, str] = field(factory=dict, init=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_closing(message: Any) -> None:
            if message["type"] == "http.response.start" and self.stopping():
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        self.in_progress[id(scope)] = f"{scope.get('method', '')} {scope.get('path', '')}"
        try:
            await self.app(scope, receive, send_closing)
        finally:
            del self.in_progress[id(scope)]


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
    limits: ConnectionLimits,
) -> None:
    """Serve requests, as described in ``orderflow.entrypoints.http.serve``."""
    stopping = stopping or Stopping()
    draining = _Draining(app, stopping.begun)
    stopping.watch(lambda: tuple(draining.in_progress.values()))
    listener = _listen(host, port, setting)
    bound_port = listener.getsockname()[1]
    server = _Server(
        uvicorn.Config(
            draining,
            http=protocol(limits, app.instruments if isinstance(app, InstrumentedApp) else None),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=grace_seconds,
        ),
        ready=lambda: on_ready(host, bound_port) if on_ready is not None else None,
    )
    with contextlib.closing(listener):
        async with app.lifespan():
            running = asyncio.create_task(server.serve(sockets=[listener]))
            stopped = asyncio.create_task((stop or asyncio.Event()).wait())
            try:
                await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                closing_event(app).set()
                server.should_exit = True
                await running


def _listen(host: str, port: int, setting: str) -> socket.socket:
    """Create a listening socket on the first address of ``host``. Raises NotConfigured.

    It names its protocol, without which asyncio does not set TCP_NODELAY on the connections.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as e:
        raise _unavailable(host, port, setting, e) from e
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as e:
        listener.close()
        raise _unavailable(host, port, setting, e) from e
    return listener


def _unavailable(host: str, port: int, setting: str, error: OSError) -> NotConfigured:
    return NotConfigured(
        f"cannot listen on {host}:{port}: {error.strerror or error}",
        f"free the port, or choose another with {setting}",
    )
