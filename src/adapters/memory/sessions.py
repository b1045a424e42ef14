"""Sessions of the board in memory, under the hashes of their secrets."""

from collections.abc import Callable
from datetime import datetime

from attrs import field, frozen

from ...application.sessions import Session


@frozen
class MemorySessions:
    """Sessions by digest; they expire by ``time``."""

    time: Callable[[], datetime]
    sessions: dict[str, Session] = field(factory=dict, init=False)

    async def add(self, digest: str, session: Session) -> None:
        now = self.time()
        for old in [old for old, known in self.sessions.items() if known.expires_at <= now]:
            del self.sessions[old]
        self.sessions[digest] = session

    async def find(self, digest: str) -> Session | None:
        session = self.sessions.get(digest)
        return session if session is not None and session.is_valid(self.time()) else None

    async def end(self, digest: str) -> None:
        self.sessions.pop(digest, None)
