"""Limits of connections: how many there are, and how long a client may take to send a request and read a response."""

import asyncio
import logging
from collections import Counter
from contextvars import Context
from typing import Any

import h11
from attrs import define, field, frozen
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics import catalogue

PROGRESS_BYTES = 16 * 1024
"""Bytes that a client must read of a waiting response within ``write_seconds``."""
REMARK_SECONDS = 10.0
"""Refused connections are logged once in this time, with their number: a flood must not fill the log."""

logger = logging.getLogger("orderflow.http")
protocol_logger = logging.getLogger("orderflow.http.protocol")
"""The logger of uvicorn's protocol. Of its warnings, which any client can cause, none is written."""


@frozen(kw_only=True)
class ConnectionLimits:
    """The numbers of connections and the deadlines of one server.

    A request's headers, and then its body, must arrive within ``read_seconds``. A client that reads less than
    PROGRESS_BYTES of a waiting response in ``write_seconds`` is disconnected.
    """

    connections: int = 800
    per_address: int = 400
    read_seconds: float = 20.0
    write_seconds: float = 30.0


@define(eq=False)
class Connections:
    """The connections of one server."""

    limits: ConnectionLimits
    instruments: Instruments | None = None
    addresses: Counter[str] = field(factory=Counter, init=False)
    refused: Counter[str] = field(factory=Counter, init=False)
    """Connections refused or ended since the last log line, by reason."""

    def admits(self, address: str) -> bool:
        """Count a new connection from ``address``, and return whether it is within the limits."""
        self.addresses[address] += 1
        if self.addresses.total() > self.limits.connections:
            self.note("connections")
            return False
        if self.addresses[address] > self.limits.per_address:
            self.note("connections_per_address")
            return False
        return True

    def leave(self, address: str) -> None:
        self.addresses[address] -= 1
        if not self.addresses[address]:
            del self.addresses[address]

    def note(self, reason: str) -> None:
        """Count a connection that was refused or ended for ``reason``, for the next log line."""
        if not self.refused:
            asyncio.get_running_loop().call_later(REMARK_SECONDS, self._remark, context=Context())
        self.refused[reason] += 1
        if self.instruments is not None:
            self.instruments.add(catalogue.HTTP_REFUSALS, reason=reason)

    def _remark(self) -> None:
        logger.warning("connections were refused or ended", extra={"reasons": dict(self.refused)})
        self.refused.clear()


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol with the limits of ``connected``, which a subclass sets."""

    connected: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.logger = protocol_logger
        self.deadline: asyncio.TimerHandle | None = None
        self.write_deadline: asyncio.TimerHandle | None = None
        self.address = self.client[0] if self.client else ""
        if self.connected.admits(self.address):
            self._await("headers")
        else:
            self._refuse(503, b"Service Unavailable")

    def connection_lost(self, exc: Exception | None) -> None:
        self.connected.leave(self.address)
        self._stop_waiting()
        self._stop_write_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.deadline is None and self._idle():
            self._await("headers")
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.more_body:
            self._stop_waiting()
        elif self.cycle is not before:
            self._await("body")

    def on_response_complete(self) -> None:
        self._stop_waiting()
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_reader()
        elif self._idle() and self.conn.trailing_data[0]:  # the beginning of the next request
            self._await("headers")

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._await_reader()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            self._stop_write_deadline()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; in the middle of a response, only close the connection."""
        self.connected.note("invalid_http")
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and (self.cycle is None or self._idle()):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await(self, part: str) -> None:
        self._stop_waiting()
        self.deadline = self.loop.call_later(self.connected.limits.read_seconds, self._late, part)

    def _late(self, part: str) -> None:
        self.connected.note(f"slow_{part}")
        if self._idle() or not self.cycle.response_started:
            self._refuse(408, b"Request Timeout")
        else:
            self.transport.abort()

    def _await_reader(self) -> None:
        self._stop_write_deadline()
        waiting = self.transport.get_write_buffer_size()
        self.write_deadline = self.loop.call_later(self.connected.limits.write_seconds, self._unread, waiting)

    def _unread(self, waiting: int) -> None:
        if self.transport.get_write_buffer_size() + PROGRESS_BYTES <= waiting:
            self._await_reader()
            return
        self.connected.note("unread_response")
        self.transport.abort()

    def _refuse(self, status: int, reason: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 %d %s\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n" % (status, reason)
        )
        self.transport.close()
        self._await_reader()

    def _stop_waiting(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _stop_write_deadline(self) -> None:
        if self.write_deadline is not None:
            self.write_deadline.cancel()
            self.write_deadline = None


def protocol(limits: ConnectionLimits, instruments: Instruments | None = None) -> type[Any]:
    """Return the class of the protocols of one server."""
    protocol_logger.setLevel(logging.ERROR)
    return type("Protocol", (LimitedProtocol,), {"connected": Connections(limits, instruments)})
