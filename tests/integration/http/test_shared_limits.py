"""Several API processes limit the requests a second of a caller together, on a real Redis."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from httpx import AsyncClient
from orderflow.domain.errors import NotConfigured
from orderflow.entrypoints.http import request_counters

from tests.support.door import Installation, calling
from tests.support.redis import RedisServer
from tests.support.servers import obtain, started
from tests.support.waiting import eventually_async

Apps = tuple[AsyncClient, AsyncClient]


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """Return a Redis that has a minute for each response, so that a busy machine is no outage."""
    monkeypatch.setattr(request_counters, "RESPONSE_SECONDS", 60.0)
    server = obtain(lambda: started(RedisServer()))
    yield server
    server.close()


@pytest.fixture
async def apps(installation: Installation, redis: RedisServer) -> AsyncIterator[Apps]:
    """Return clients of two applications that share their limits, as two processes would."""
    async with AsyncExitStack() as closing:
        built = [installation.app(limits={"requests_per_second": 1_000, "shared": redis.url}) for _ in range(2)]
        first, second = [await closing.enter_async_context(calling(app)) for app in built]
        yield first, second


async def remaining(client: AsyncClient) -> int:
    response = await client.get("/v1/orders")
    assert response.status_code == 200, response.text
    return int(response.headers["ratelimit"].partition("r=")[2].partition(";")[0])


async def are_shared(apps: Apps) -> bool:
    """Return whether a request to the second application counts after one to the first, unless a second just began."""
    pairs = [(await remaining(apps[0]), await remaining(apps[1])) for _ in range(20)]
    return sum(after == before - 1 for before, after in pairs) > len(pairs) / 2


async def test_two_processes_count_the_requests_of_a_caller_together(apps: Apps) -> None:
    assert await are_shared(apps)


async def test_a_caller_above_the_shared_rate_is_refused(installation: Installation, redis: RedisServer) -> None:
    async with calling(installation.app(limits={"requests_per_second": 1, "shared": redis.url})) as boss:
        statuses = {(await boss.get("/v1/orders")).status_code for _ in range(50)}

    assert statuses == {200, 429}


@pytest.mark.parametrize("outage", ["ended", "hangs"])
async def test_each_process_counts_for_itself_while_redis_does_not_answer_and_together_afterwards(
    apps: Apps, redis: RedisServer, outage: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert redis.process is not None
    assert await are_shared(apps)
    monkeypatch.setattr(request_counters, "RESPONSE_SECONDS", 0.1)
    monkeypatch.setattr(request_counters, "PAUSE_SECONDS", 3_600.0)

    if outage == "ended":
        redis.process.kill()
    else:
        redis.process.pause()
    with caplog.at_level(logging.WARNING):
        alone = not await are_shared(apps)
    warnings = [record for record in caplog.records if "each process counts for itself" in record.message]

    assert alone
    assert len(warnings) == len(apps)

    if outage == "ended":
        redis.start()
    else:
        redis.process.resume()
    monkeypatch.setattr(request_counters, "RESPONSE_SECONDS", 60.0)
    monkeypatch.setattr(request_counters, "monotonic", lambda: float("inf"))
    await eventually_async(lambda: are_shared(apps), that="the applications count together again")


async def test_a_caller_is_still_limited_while_redis_does_not_answer(
    installation: Installation, redis: RedisServer
) -> None:
    redis.close()
    async with calling(installation.app(limits={"requests_per_second": 1, "shared": redis.url})) as boss:
        statuses = {(await boss.get("/v1/orders")).status_code for _ in range(50)}

    assert statuses == {200, 429}


@pytest.mark.parametrize("url", ["redis://localhost:port", "redis://[::1"])
def test_a_url_that_is_none_is_refused_at_the_start(installation: Installation, url: str) -> None:
    with pytest.raises(NotConfigured, match="http_limits_url"):
        installation.app(limits={"shared": url})
