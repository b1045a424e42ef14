"""Serves an application with uvicorn, which the caller starts and stops."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import uvicorn
from litestar import Litestar

from ...adapters.server_certificate import CertificateFiles
from ...domain.errors import NotConfigured
from ..shutdown import Stopping
from .app import closing_event
from .connections import ConnectionLimits, Connections
from .metrics import InstrumentedApp
from .protocol import HttpProtocol
from .tls import STRICT_TRANSPORT_SECURITY, Tls, tls_protocol

SECURITY_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
"""The headers of every response that has content, by the OWASP REST Security Cheat Sheet."""


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


async def serve(
    app: Litestar,
    *,
    host: str,
    port: int,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[str, int], None] | None = None,
    grace_seconds: int | None = 10,
    stopping: Stopping | None = None,
    setting: str = "ORDERFLOW_HTTP_PORT",
    limits: Mapping[str, Any] = MappingProxyType({}),
    listener: socket.socket | None = None,
    tls: CertificateFiles | None = None,
) -> None:
    """Serve requests on ``host`` and ``port`` (0 for any free one) until ``stop`` is set or this task is cancelled.

    With a ``listener``, which is one of ``listeners``, they are served on that socket.

    ``on_ready`` is called with the host and the port once requests are served. At the end, live streams are closed and
    requests in progress have ``grace_seconds`` to finish (None for no limit). As soon as ``stopping`` has begun, each
    response closes its connection, so that the client's next request goes to another process; ``stopping`` is given
    the requests in progress. ``limits`` are fields of ``orderflow.entrypoints.http.connections.ConnectionLimits`` that
    differ from its defaults. With ``tls``, connections are encrypted, and new files are used without a restart. Signals
    are left to the caller. Raises NotConfigured if the extra ``http`` is missing, or if the address is not available,
    with the ``setting`` that determines it; InvalidInput for a certificate that cannot be used.
    """
    stopping = stopping or Stopping()
    instruments = app.instruments if isinstance(app, InstrumentedApp) else None
    connections = Connections(ConnectionLimits(**limits), instruments, stopping.begun)
    stopping.watch(connections.in_progress)
    secured = None if tls is None else Tls(tls, instruments)
    listener = listener or _listen(host, port, setting)
    bound_port = listener.getsockname()[1]
    server = _Server(
        uvicorn.Config(
            app,
            http=partial(HttpProtocol, connections) if secured is None else tls_protocol(secured, connections),  # type: ignore[arg-type]
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # a caller on this machine could write any address into them
            headers=SECURITY_HEADERS if secured is None else [*SECURITY_HEADERS, STRICT_TRANSPORT_SECURITY],
            lifespan="off",
            timeout_graceful_shutdown=grace_seconds,
        ),
        ready=lambda: on_ready(host, bound_port) if on_ready is not None else None,
    )
    with contextlib.closing(listener):
        async with app.lifespan():
            running = asyncio.create_task(server.serve(sockets=[listener]))
            stopped = asyncio.create_task((stop or asyncio.Event()).wait())
            reloading = None if secured is None else asyncio.create_task(secured.reload())
            try:
                await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                if reloading is not None:
                    reloading.cancel()
                closing_event(app).set()
                server.should_exit = True
                await running


def listeners(host: str, port: int, *, number: int, setting: str = "ORDERFLOW_HTTP_PORT") -> list[socket.socket]:
    """Create ``number`` sockets that listen on one port, among which the system shares out the connections.

    Raises NotConfigured without the extra ``http``, or if the port is taken, also by sockets that would share it.
    """
    with _listen(host, port, setting) as alone:
        free_port = alone.getsockname()[1]
    return [_listen(host, free_port, setting, shared=True) for _ in range(number)]


def _listen(host: str, port: int, setting: str, *, shared: bool = False) -> socket.socket:
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
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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
