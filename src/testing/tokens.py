"""The promises of every store of tokens."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ..application.auth import EVERY_SCOPE, IDENTIFYING, Grant, Scope, Token
from ..domain.actor import Actor, Role
from .orders import AT

ADMIN, TILL = Actor(Role.ADMIN, "A1"), Actor(Role.RESTAURANT, "R7")
FIRST, SECOND, THIRD = "1" * 64, "2" * 64, "3" * 64
HOUR = timedelta(hours=1)


class TokensContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_a_token_is_found_by_its_digest_alone(self, storage: Any) -> None:
        await storage.tokens.add("digest-1", TILL, label="till 1", at=AT)

        assert await storage.tokens.find("digest-1") == Grant(TILL, EVERY_SCOPE, "till 1")
        assert await storage.tokens.find("digest-2") is None

    async def test_the_existence_of_any_token_is_known(self, storage: Any) -> None:
        before = await storage.tokens.any()

        await storage.tokens.add("digest-1", ADMIN, label="", at=AT)

        assert (before, await storage.tokens.any()) == (False, True)

    async def test_whether_a_role_has_a_valid_token_is_known(self, storage: Any) -> None:
        now = await storage.now()
        customer = Actor(Role.CUSTOMER, "C1")
        await storage.tokens.add("till", TILL, label="", at=now)
        await storage.tokens.add("expired", customer, label="", at=now - HOUR, expires_at=now - timedelta(seconds=1))
        before = await storage.tokens.any_valid(Role.CUSTOMER)

        await storage.tokens.add(FIRST, customer, label="", at=now, expires_at=now + HOUR)
        meanwhile = await storage.tokens.any_valid(Role.CUSTOMER)
        await storage.tokens.revoke(FIRST[:IDENTIFYING], at=now)

        assert (before, meanwhile, await storage.tokens.any_valid(Role.CUSTOMER)) == (False, True, False)
        assert await storage.tokens.any_valid(Role.RESTAURANT)

    async def test_a_token_that_is_added_again_belongs_to_the_later_actor(self, storage: Any) -> None:
        await storage.tokens.add("digest-1", ADMIN, label="", at=AT)

        await storage.tokens.add("digest-1", Actor(Role.CUSTOMER, "C1"), label="", at=AT, scopes={Scope.READ})

        assert await storage.tokens.find("digest-1") == Grant(Actor(Role.CUSTOMER, "C1"), frozenset({Scope.READ}))

    async def test_a_token_is_listed_with_all_but_its_secret(self, storage: Any) -> None:
        await storage.tokens.add(FIRST, ADMIN, label="old", at=AT)
        await storage.tokens.add(
            SECOND, TILL, label="till", at=AT + HOUR, scopes={Scope.READ}, expires_at=AT + 2 * HOUR
        )

        newest, oldest = await storage.tokens.list()

        assert [token.id for token in await storage.tokens.list(TILL)] == [newest.id]
        assert (oldest.id, oldest.scopes, oldest.expires_at) == (FIRST[:IDENTIFYING], EVERY_SCOPE, None)
        assert newest == Token(
            id=SECOND[:IDENTIFYING],
            actor=TILL,
            label="till",
            scopes=frozenset({Scope.READ}),
            created_at=AT + HOUR,
            expires_at=AT + 2 * HOUR,
            revoked_at=None,
            last_used_at=None,
        )

    async def test_a_token_is_not_found_after_its_time_by_the_storages_clock(self, storage: Any) -> None:
        now = await storage.now()
        await storage.tokens.add(FIRST, ADMIN, label="", at=now - HOUR, expires_at=now - timedelta(seconds=1))
        await storage.tokens.add(SECOND, ADMIN, label="", at=now - HOUR, expires_at=now + HOUR)

        assert (await storage.tokens.find(FIRST), await storage.tokens.find(SECOND)) == (None, Grant(ADMIN))

    async def test_a_revoked_token_is_not_found_and_still_counts_as_one(self, storage: Any) -> None:
        await storage.tokens.add(FIRST, ADMIN, label="", at=AT)

        known = await storage.tokens.revoke(FIRST[:IDENTIFYING], at=AT + HOUR)
        again = await storage.tokens.revoke(FIRST[:IDENTIFYING], at=AT + 2 * HOUR)
        unknown = await storage.tokens.revoke(SECOND[:IDENTIFYING], at=AT)

        assert (known, again, unknown) == (True, True, False)
        assert await storage.tokens.find(FIRST) is None
        assert await storage.tokens.any()
        assert [token.revoked_at for token in await storage.tokens.list()] == [AT + HOUR]

    async def test_a_replaced_token_is_valid_next_to_the_new_one_until_a_time(self, storage: Any) -> None:
        now = await storage.now()
        await storage.tokens.add(
            FIRST, TILL, label="till", at=now - HOUR, scopes={Scope.WRITE}, expires_at=now + 9 * HOUR
        )

        replaced = await storage.tokens.replace(FIRST[:IDENTIFYING], SECOND, at=now, until=now + HOUR)

        assert replaced
        grant = Grant(TILL, frozenset({Scope.WRITE}), "till")
        assert (await storage.tokens.find(FIRST), await storage.tokens.find(SECOND)) == (grant, grant)
        new, old = await storage.tokens.list()
        assert (new.created_at, new.expires_at, old.expires_at) == (now, now + 10 * HOUR, now + HOUR)

    async def test_a_replacement_makes_no_token_valid_for_longer(self, storage: Any) -> None:
        now = await storage.now()
        await storage.tokens.add(FIRST, TILL, label="", at=now - HOUR, expires_at=now + HOUR)

        await storage.tokens.replace(FIRST[:IDENTIFYING], SECOND, at=now, until=now + 9 * HOUR)

        assert [token.expires_at for token in await storage.tokens.list()] == [now + 2 * HOUR, now + HOUR]

    @pytest.mark.parametrize("lifetime", [9 * HOUR, None])
    async def test_each_replacement_of_a_token_has_the_lifetime_that_it_had_at_first(
        self, storage: Any, lifetime: timedelta | None
    ) -> None:
        now = await storage.now()
        ends = lifetime and now + lifetime
        await storage.tokens.add(FIRST, TILL, label="", at=now, expires_at=ends)

        await storage.tokens.replace(FIRST[:IDENTIFYING], SECOND, at=now, until=now + HOUR)
        await storage.tokens.replace(FIRST[:IDENTIFYING], THIRD, at=now, until=now + 2 * HOUR)

        expiry = {token.id: token.expires_at for token in await storage.tokens.list()}
        assert [expiry[digest[:IDENTIFYING]] for digest in (FIRST, SECOND, THIRD)] == [now + HOUR, ends, ends]

    async def test_a_token_that_is_added_again_has_its_new_lifetime(self, storage: Any) -> None:
        now = await storage.now()
        await storage.tokens.add(FIRST, TILL, label="", at=now)
        await storage.tokens.replace(FIRST[:IDENTIFYING], SECOND, at=now, until=now + HOUR)
        await storage.tokens.add(FIRST, TILL, label="", at=now, expires_at=now + 9 * HOUR)

        await storage.tokens.replace(FIRST[:IDENTIFYING], THIRD, at=now, until=now + HOUR)

        expiry = {token.id: token.expires_at for token in await storage.tokens.list()}
        assert expiry[THIRD[:IDENTIFYING]] == now + 9 * HOUR

    async def test_only_a_valid_token_is_replaced(self, storage: Any) -> None:
        now = await storage.now()
        await storage.tokens.add(FIRST, ADMIN, label="", at=now)
        await storage.tokens.revoke(FIRST[:IDENTIFYING], at=now)

        revoked = await storage.tokens.replace(FIRST[:IDENTIFYING], SECOND, at=now, until=now + HOUR)
        unknown = await storage.tokens.replace("unknown", SECOND, at=now, until=now + HOUR)

        assert (revoked, unknown, await storage.tokens.find(SECOND)) == (False, False, None)

    async def test_the_last_use_never_goes_back(self, storage: Any) -> None:
        await storage.tokens.add(FIRST, ADMIN, label="", at=AT)
        await storage.tokens.add(SECOND, ADMIN, label="", at=AT)

        for at in (AT + HOUR, AT + 3 * HOUR, AT + 2 * HOUR):
            await storage.tokens.note_used({FIRST, "unknown"}, at=at)

        used: dict[str, datetime | None] = {token.id: token.last_used_at for token in await storage.tokens.list()}
        assert used == {FIRST[:IDENTIFYING]: AT + 3 * HOUR, SECOND[:IDENTIFYING]: None}
