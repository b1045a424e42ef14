"""Tickets of live streams in memory."""

from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import field, frozen

from ...application.streams.ports import StreamTicket


@frozen
class MemoryStreamTickets:
    """Tickets by digest, with the time at which each expires by ``time``."""

    time: Callable[[], datetime]
    tickets: dict[str, tuple[datetime, StreamTicket]] = field(factory=dict, init=False)

    async def add(self, digest: str, ticket: StreamTicket, *, seconds: int) -> datetime:
        now = self.time()
        for old in [each for each, (at, _) in self.tickets.items() if at < now]:
            del self.tickets[old]
        expires_at = now + timedelta(seconds=seconds)
        self.tickets[digest] = expires_at, ticket
        return expires_at

    async def take(self, digest: str) -> StreamTicket | None:
        found = self.tickets.pop(digest, None)
        return None if found is None or found[0] <= self.time() else found[1]
