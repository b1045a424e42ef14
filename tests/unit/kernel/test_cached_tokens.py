"""Tokens that a process remembers for a second."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import define
from orderflow.adapters.memory import MemoryStorage
from orderflow.application.auth import FRESH_SECONDS, MOST_KNOWN, USE_NOTED_EVERY, CachedTokens, Grant
from orderflow.domain.actor import Actor, Role

BOSS, CUSTOMER = Grant(Actor(Role.ADMIN, "boss"), label="test"), Grant(Actor(Role.CUSTOMER, "C1"), label="test")
AT = datetime(2026, 1, 1, tzinfo=UTC)


@define
class Seconds:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@define
class CountingTokens:
    """Counts reads, each of which takes a while."""

    tokens: Any
    reads: int = 0

    async def find(self, digest: str) -> Grant | None:
        self.reads += 1
        await asyncio.sleep(0)
        found: Grant | None = await self.tokens.find(digest)
        return found


@define
class Other:
    """The same storage, as another process reaches it."""

    tokens: Any

    async def add(self, digest: str, grant: Grant) -> None:
        await self.tokens.add(digest, grant.actor, label="test", at=AT)


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def cached(storage: MemoryStorage, seconds: Seconds) -> CachedTokens:
    return CachedTokens(storage.tokens, seconds)


async def test_a_change_in_another_process_takes_effect_within_a_second(
    storage: MemoryStorage, cached: CachedTokens, seconds: Seconds
) -> None:
    other = Other(storage.tokens)
    await other.add("d1", BOSS)
    assert await cached.find("d1") == BOSS

    await other.add("d1", CUSTOMER)
    seconds.now += FRESH_SECONDS - 0.01
    assert await cached.find("d1") == BOSS

    seconds.now += 0.01
    assert await cached.find("d1") == CUSTOMER


async def test_a_token_that_was_not_there_is_found_as_soon_as_it_is(
    storage: MemoryStorage, cached: CachedTokens
) -> None:
    assert await cached.find("d1") is None

    await Other(storage.tokens).add("d1", BOSS)

    assert await cached.find("d1") == BOSS


async def test_what_this_process_adds_takes_effect_at_once(storage: MemoryStorage, cached: CachedTokens) -> None:
    await Other(storage.tokens).add("d1", BOSS)
    assert await cached.find("d1") == BOSS

    await cached.add("d1", CUSTOMER.actor, label="test", at=AT)

    assert await cached.find("d1") == CUSTOMER


async def test_it_remembers_a_bounded_number_of_tokens(storage: MemoryStorage, cached: CachedTokens) -> None:
    other = Other(storage.tokens)
    for number in range(MOST_KNOWN + 1):
        await other.add(f"d{number}", BOSS)
        await cached.find(f"d{number}")

    assert len(cached._known) <= MOST_KNOWN
    assert await cached.find("d0") == BOSS


async def test_requests_at_the_same_time_share_a_read_and_one_that_is_cancelled_harms_none(
    storage: MemoryStorage,
) -> None:
    await Other(storage.tokens).add("d1", BOSS)
    counting: Any = CountingTokens(storage.tokens)
    cached = CachedTokens(counting)

    cancelled, *others = [asyncio.create_task(cached.find("d1")) for _ in range(20)]
    await asyncio.sleep(0)
    cancelled.cancel()

    assert await asyncio.gather(*others) == [BOSS] * 19
    assert counting.reads == 1


async def test_uses_are_stored_apart_from_the_requests_and_once_in_some_minutes(
    storage: MemoryStorage, cached: CachedTokens, seconds: Seconds
) -> None:
    async def last_use() -> datetime | None:
        [token] = await storage.tokens.list()
        return token.last_used_at

    await Other(storage.tokens).add("d1", BOSS)
    await cached.find("d1")
    assert await last_use() is None
    await cached.note_used(AT)
    assert await last_use() == AT

    seconds.now += USE_NOTED_EVERY.total_seconds() - 1
    await cached.find("d1")
    await cached.note_used(AT + USE_NOTED_EVERY)
    assert await last_use() == AT

    seconds.now += FRESH_SECONDS
    await cached.find("d1")
    await cached.note_used(AT + 2 * USE_NOTED_EVERY)
    assert await last_use() == AT + 2 * USE_NOTED_EVERY


async def test_a_revoked_token_is_refused_within_a_second(
    storage: MemoryStorage, cached: CachedTokens, seconds: Seconds
) -> None:
    await Other(storage.tokens).add("d1", BOSS)
    assert await cached.find("d1") == BOSS

    await storage.tokens.revoke("d1", at=AT)
    seconds.now += FRESH_SECONDS

    assert await cached.find("d1") is None
