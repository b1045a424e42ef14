"""The promises of every store of tokens."""

from typing import Any

from orderflow.domain.actor import Actor, Role

from tests.unit.domain.actors import AT


class TokensContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_a_token_is_found_by_its_digest_alone(self, storage: Any) -> None:
        await storage.tokens.add("digest-1", Actor(Role.RESTAURANT, "R7"), label="till 1", at=AT)

        assert await storage.tokens.find("digest-1") == Actor(Role.RESTAURANT, "R7")
        assert await storage.tokens.find("digest-2") is None

    async def test_the_existence_of_any_token_is_known(self, storage: Any) -> None:
        before = await storage.tokens.any()

        await storage.tokens.add("digest-1", Actor(Role.ADMIN, "A1"), label="", at=AT)

        assert (before, await storage.tokens.any()) == (False, True)

    async def test_a_token_that_is_added_again_belongs_to_the_later_actor(self, storage: Any) -> None:
        await storage.tokens.add("digest-1", Actor(Role.ADMIN, "A1"), label="", at=AT)

        await storage.tokens.add("digest-1", Actor(Role.CUSTOMER, "C1"), label="", at=AT)

        assert await storage.tokens.find("digest-1") == Actor(Role.CUSTOMER, "C1")
