"""The port of tickets, which open a live stream where no token can be sent."""

from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from ..auth import Grant

TICKET_SECONDS = 30
"""Seconds after which a ticket that was not used is void."""


@frozen(kw_only=True)
class StreamTicket:
    """The rights of the caller who asked for the ticket. ``token`` is the digest of its token, empty if it had none.

    A stream is over when that token is no longer valid, or at the end of the grant.
    """

    grant: Grant
    token: str = field(default="", repr=False)


class StreamTickets(Protocol):
    """Tickets by the digest of their secret; they expire by the storage's own clock. Raises StorageUnavailable."""

    async def add(self, digest: str, ticket: StreamTicket, *, seconds: int) -> datetime:
        """Keep the ticket, and return when it expires. Some that have expired are deleted."""
        ...

    async def take(self, digest: str) -> StreamTicket | None:
        """Return the ticket and delete it; None if there is none or it has expired. Of several callers one gets it."""
        ...
