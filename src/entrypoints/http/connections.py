"""Limits of connections: how many there are, and how long a client may take to send a request and read a response."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from typing import Any

from attrs import define, field, frozen

from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics import catalogue

PROGRESS_BYTES = 16 * 1024
"""Bytes that a client must read of a waiting response within ``write_seconds``."""
REMARK_SECONDS = 10.0
"""Refused connections are logged once in this time, with their number: a flood must not fill the log."""

logger = logging.getLogger("orderflow.http")


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
    stopping: Callable[[], bool] = lambda: False
    """Returns True once each response is to close its connection."""
    running: set[Any] = field(factory=set, init=False)
    """The requests that the application responds to."""
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

    def in_progress(self) -> list[str]:
        """Return the names of the requests that the application responds to. Another thread may call it."""
        return [f"{cycle.scope['method']} {cycle.scope['path']}" for cycle in tuple(self.running)]

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
