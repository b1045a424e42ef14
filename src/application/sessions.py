"""The sessions of people who have logged in to the board, of which only the hash of the secret is stored."""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from attrs import define, field, frozen

from .auth import FRESH_SECONDS, MOST_KNOWN, Grant

SESSION_LIFETIME = timedelta(hours=12)
"""The time after which a person logs in again, however much the session was used."""


@frozen(kw_only=True)
class Session:
    """A log-in of a person, with the rights that it grants.

    ``grant`` is what it was at that time. ``token`` is the digest of a stored token, which must still be valid; it is
    empty for the token of an identity provider, and if an actor was chosen in ``development`` mode.
    """

    grant: Grant
    created_at: datetime
    expires_at: datetime
    token: str = ""
    development: bool = False

    def is_valid(self, now: datetime) -> bool:
        """Return whether it has not expired. One that a wrong clock has made to last for longer has."""
        return now < self.expires_at <= now + 2 * SESSION_LIFETIME


class Sessions(Protocol):
    """Stores sessions under the digests of their secrets. They expire by the storage's own clock."""

    async def add(self, digest: str, session: Session) -> None:
        """Store ``session``, and delete those that have expired."""
        ...

    async def find(self, digest: str) -> Session | None:
        """Return the session; None if there is none, or it has expired or was ended."""
        ...

    async def end(self, digest: str) -> None:
        """Delete the session, if it is there."""
        ...


@define(eq=False)
class CachedSessions:
    """Sessions that are read once a second at most. Those that this process adds or ends take effect at once."""

    sessions: Sessions
    clock: Callable[[], float] = monotonic
    _known: dict[str, tuple[float, Session]] = field(factory=dict, init=False)

    async def add(self, digest: str, session: Session) -> None:
        await self.sessions.add(digest, session)

    async def find(self, digest: str) -> Session | None:
        now = self.clock()
        at, session = self._known.get(digest, (float("-inf"), None))
        if session is not None and now - at < FRESH_SECONDS:
            return session
        session = await self.sessions.find(digest)
        self._known.pop(digest, None)
        if session is not None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[digest] = (now, session)
        return session

    async def end(self, digest: str) -> None:
        await self.sessions.end(digest)
        self._known.pop(digest, None)
