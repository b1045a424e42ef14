"""TLS on the API's connections: the handshake of each, and a certificate that is read again when its files change."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from attrs import define, field
from uvicorn.protocols.utils import get_remote_addr

from ...adapters.server_certificate import CertificateFiles, ServerCertificate
from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics import catalogue
from ...domain.errors import InvalidInput
from .connections import Connections
from .protocol import HttpProtocol

RELOAD_SECONDS = 5.0
"""Seconds between two looks at the files of the certificate."""
SHUTDOWN_SECONDS = 3600.0
"""Seconds that the end of a connection may take. HttpProtocol's deadline for a client that does not read is shorter."""
HIGH_WATER = 64 * 1024
"""Bytes that may wait to be encrypted before the application waits."""
STRICT_TRANSPORT_SECURITY = ("Strict-Transport-Security", "max-age=31536000")

logger = logging.getLogger("orderflow.http")


@define(eq=False)
class Tls:
    """The certificate for new connections. Connections that are open keep the one with which they began.

    New files are used within RELOAD_SECONDS. Files that cannot be used are logged once, and the former certificate
    stays; they are tried again at each look, as a certificate may become valid.
    """

    files: CertificateFiles
    certificate: ServerCertificate = field(init=False)
    instruments: Instruments | None = None
    _version: tuple[object, ...] = field(init=False)
    _usable: bool = field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self._version = self.files.version()
        self._use(self.files.read())

    async def reload(self) -> None:
        """Use new files as long as this runs."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            version = await asyncio.to_thread(self.files.version)
            is_new, self._version = version != self._version, version
            if self._usable and not is_new:
                continue
            try:
                self._use(await asyncio.to_thread(self.files.read))
            except InvalidInput as error:
                self._set_usable(False)
                if is_new:
                    detail = {"detail": str(error)}
                    logger.error("the new certificate cannot be used, the former one stays", extra=detail)
            else:
                logger.info("a new certificate is used", extra={"expires_at": self.certificate.expires_at.isoformat()})

    def _use(self, certificate: ServerCertificate) -> None:
        self.certificate = certificate
        self._set_usable(True)
        if self.instruments is not None:
            self.instruments.set(catalogue.HTTP_CERTIFICATE_EXPIRES, certificate.expires_at.timestamp())

    def _set_usable(self, usable: bool) -> None:
        self._usable = usable
        if self.instruments is not None:
            self.instruments.set(catalogue.HTTP_CERTIFICATE_UNUSABLE, 0 if usable else 1)


@define(eq=False)
class TlsHandshake(asyncio.Protocol):
    """A new connection until its handshake has ended: then HttpProtocol has it.

    It counts as a connection from the beginning, and its handshake has the deadline of a request's headers.
    """

    tls: Tls
    connected: Connections
    server_state: Any
    make_protocol: Callable[[], HttpProtocol]
    address: str = field(default="", init=False)
    early: bytes = field(default=b"", init=False)
    """Bytes that came before the handshake began, then those decrypted before HttpProtocol has the connection."""
    ended: bool = field(default=False, init=False)
    task: "asyncio.Task[None] | None" = field(default=None, init=False)
    protocol: HttpProtocol | None = field(default=None, init=False)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        client = get_remote_addr(transport)
        self.address = client[0] if client else ""
        self.server_state.connections.add(self)
        if not self.connected.admits(self.address):
            transport.abort()
            return
        self.task = asyncio.create_task(self._secure(transport))
        self.task.add_done_callback(self._leave)

    def data_received(self, data: bytes) -> None:
        self.early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        if self.protocol is not None:
            self.protocol.connection_lost(exc)
        elif self.task is None:
            self._leave()

    def shutdown(self) -> None:
        """End the handshake, as uvicorn's server asks at its end."""
        if self.task is not None:
            self.task.cancel()

    async def _secure(self, transport: asyncio.Transport) -> None:
        secured: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        seconds = self.connected.limits.read_seconds
        try:
            async with asyncio.timeout(seconds):
                starting = loop.create_task(
                    loop.start_tls(
                        transport,
                        self,
                        self.tls.certificate.context,
                        server_side=True,
                        ssl_handshake_timeout=seconds + 1,
                        ssl_shutdown_timeout=SHUTDOWN_SECONDS,
                    )
                )
                # After start_tls has begun, and after what it has scheduled; before anything else is read.
                loop.call_soon(loop.call_soon, self._feed, transport)
                secured = await starting
        except TimeoutError:
            self.connected.note("slow_handshake")
        except (OSError, RuntimeError):  # ssl's errors are OSErrors; uvloop raises RuntimeError for a closed transport
            self.connected.note("failed_handshake")
        finally:
            if secured is None or self.ended:
                transport.abort()
        if secured is not None and not self.ended:
            self._hand_over(transport, secured)

    def _feed(self, transport: asyncio.Transport) -> None:
        """Give what has arrived already to the handshake, which reads from now on. uvloop reads before it can begin."""
        handshake: Any = transport.get_protocol()
        if self.early and handshake is not self and not transport.is_closing():
            early, self.early = self.early, b""
            while early:
                buffer = handshake.get_buffer(len(early))
                size = min(len(buffer), len(early))
                buffer[:size] = early[:size]
                handshake.buffer_updated(size)
                early = early[size:]

    def _hand_over(self, transport: asyncio.Transport, secured: asyncio.Transport) -> None:
        secured.set_write_buffer_limits(high=HIGH_WATER)
        self.protocol = self.make_protocol()
        self.protocol.below = transport
        self._leave()
        secured.set_protocol(self.protocol)
        self.protocol.connection_made(secured)
        if self.early:
            self.protocol.data_received(self.early)
            self.early = b""

    def _leave(self, _: object = None) -> None:
        """Count the connection no more, or let HttpProtocol count it."""
        if self in self.server_state.connections:
            self.server_state.connections.discard(self)
            self.connected.leave(self.address)


def tls_protocol(tls: Tls, connected: Connections) -> Callable[..., TlsHandshake]:
    """Return what makes the protocol of a new connection, with uvicorn's arguments."""

    def make(*, config: Any, server_state: Any, **_: Any) -> TlsHandshake:
        return TlsHandshake(tls, connected, server_state, lambda: HttpProtocol(connected, config, server_state))

    return make
