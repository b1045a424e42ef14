"""The promises of every store of sessions."""

from datetime import timedelta
from typing import Any

import pytest

from ..application.auth import Grant, Scope
from ..application.sessions import SESSION_LIFETIME, Session
from ..domain.actor import Actor, Role

TILL = Grant(Actor(Role.RESTAURANT, "R7"), frozenset({Scope.READ, Scope.WRITE}), "till 1")
HOUR = timedelta(hours=1)


@pytest.mark.asyncio
class SessionsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_a_session_is_found_by_its_digest_alone(self, storage: Any) -> None:
        now = await storage.now()
        session = Session(grant=TILL, created_at=now, expires_at=now + HOUR, token="t" * 64)

        await storage.sessions.add("digest-1", session)

        assert await storage.sessions.find("digest-1") == session
        assert await storage.sessions.find("digest-2") is None

    async def test_a_chosen_actor_of_development_mode_is_marked(self, storage: Any) -> None:
        now = await storage.now()

        await storage.sessions.add("d", Session(grant=TILL, created_at=now, expires_at=now + HOUR, development=True))

        assert (await storage.sessions.find("d")).development is True

    async def test_a_session_is_not_found_after_its_time_by_the_storages_clock(self, storage: Any) -> None:
        now = await storage.now()
        await storage.sessions.add("old", Session(grant=TILL, created_at=now - HOUR, expires_at=now))

        assert await storage.sessions.find("old") is None

    async def test_a_session_that_was_made_while_the_clock_was_a_year_ahead_is_not_found(self, storage: Any) -> None:
        ahead = await storage.now() + timedelta(days=365)
        await storage.sessions.add("far", Session(grant=TILL, created_at=ahead, expires_at=ahead + SESSION_LIFETIME))

        assert await storage.sessions.find("far") is None

    async def test_a_session_that_was_ended_is_not_found_and_others_stay(self, storage: Any) -> None:
        now = await storage.now()
        for digest in ("mine", "theirs"):
            await storage.sessions.add(digest, Session(grant=TILL, created_at=now, expires_at=now + HOUR))

        await storage.sessions.end("mine")
        await storage.sessions.end("mine")

        assert await storage.sessions.find("mine") is None
        assert await storage.sessions.find("theirs") is not None
