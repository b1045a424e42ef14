"""A part of a process that fails: it is named, started again, and does not end the others."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
from orderflow.application.backoff import Backoff
from orderflow.application.event_log.records import LogRecord
from orderflow.domain.errors import LogBehindTopic, NotConfigured
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.supervision import Supervisor
from orderflow.entrypoints.wiring.lifespan import opened
from orderflow.testing.orders import placed

from tests.support.waiting import eventually_async

REFUSAL = LogBehindTopic(3, 1, 2)


class FailingSource:
    """A source that raises ``error`` at each read until it is ``fixed``, and then reads from ``source``."""

    def __init__(self, source: Any, error: Exception) -> None:
        self.source, self.error, self.fixed, self.tries = source, error, False, 0

    async def read(self, limit: int) -> Sequence[LogRecord]:
        self.tries += 1
        if not self.fixed:
            raise self.error
        return await self.source.read(limit)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def supervised(
    container: Any, *, recovered_seconds: float = 0.0, **parts: Callable[..., Awaitable[None]]
) -> Supervisor:
    return Supervisor(
        parts={name: lambda part=part: part for name, part in parts.items()},  # type: ignore[misc]
        needed=frozenset({"api"}),
        background=frozenset({"housekeeping"}),
        registration=container.process_registration(),
        stopping=container.stopping(),
        wake=container.news().notify,
        instruments=container.telemetry().instruments,
        backoff=lambda: Backoff(first=0.001, longest=0.01),
        recovered_seconds=recovered_seconds,
    )


async def until_stopped(stop: asyncio.Event) -> None:
    await stop.wait()


@pytest.fixture
def container() -> Any:
    return container_for(Settings(database_url="memory://", http_port=0, http_dev=True, ops_port=0, poll_seconds=0.01))


@pytest.mark.parametrize("error", [RuntimeError("a fault"), REFUSAL])
async def test_an_api_continues_without_a_consumer_that_fails_names_it_and_starts_it_again(
    container: Any, error: Exception
) -> None:
    stop, sources = asyncio.Event(), container.source()
    failing = FailingSource(sources("analytics"), error)
    container.source.override(lambda name: failing if name == "analytics" else sources(name))
    code = "log_behind_topic" if error is REFUSAL else "RuntimeError"

    async with opened(container), httpx.AsyncClient() as client:
        running = asyncio.create_task(run_parts(container, api=True, consumers=("analytics", "inventory"), stop=stop))

        async def has_failed_twice() -> bool:
            assert not running.done(), running
            return failing.tries > 1

        await eventually_async(has_failed_twice, that="the consumer is started again")
        [api] = [part for part in container.process_registration().describe().parts if part.name == "api"]
        ready = await client.get(f"{api.url}/readyz")
        scrape = (await container.scrape()(""))[0].decode()

        async def is_registered_as_stopped() -> bool:
            [known] = await container.storage().processes.all()
            return any((part.name, part.stopped) == ("analytics", code) for part in known.process.parts)

        await eventually_async(is_registered_as_stopped, that="the registration names the part")
        failing.fixed = True
        await placed(container.storage())

        async def has_caught_up() -> bool:
            return not any(each.pending for each in await container.lag()() if each.reader == "analytics")

        await eventually_async(has_caught_up, that="the consumer has caught up")
        stop.set()
        with pytest.raises(type(error)):  # it has not yet run for long enough to count as recovered
            await running

    assert (ready.status_code, ready.json()["parts"]) == (200, {"analytics": f"stopped: {code}"})
    assert 'orderflow_process_part_stopped{process_part="analytics"} 1.0' in scrape
    assert 'orderflow_process_part_stopped{process_part="inventory"} 0.0' in scrape


async def test_a_part_that_runs_again_is_no_longer_shown_as_stopped_and_the_process_ends_without_error(
    container: Any,
) -> None:
    stop, errors = asyncio.Event(), [RuntimeError("first"), RuntimeError("second")]

    async def recovers(stop: asyncio.Event) -> None:
        if errors:
            raise errors.pop()
        await stop.wait()

    running = asyncio.create_task(supervised(container, relay=recovers, api=until_stopped)(stop))

    async def runs_again() -> bool:
        return not errors and not container.process_registration().stopped_parts()

    await eventually_async(runs_again, that="the part runs again")
    stop.set()
    await running
    stopped = container.telemetry().instruments.registry.get_sample_value(
        "orderflow_process_part_stopped", {"process_part": "relay"}
    )
    assert stopped == 0


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(("relay",), id="alone"),
        pytest.param(("analytics", "inventory", "notifications"), id="each of several"),
        pytest.param(("relay", "housekeeping"), id="all but housekeeping"),
    ],
)
async def test_a_process_ends_with_the_error_when_no_part_is_left(container: Any, parts: tuple[str, ...]) -> None:
    async def refuses(stop: asyncio.Event) -> None:
        raise REFUSAL

    works = {name: until_stopped if name == "housekeeping" else refuses for name in parts}

    with pytest.raises(LogBehindTopic):
        await asyncio.wait_for(supervised(container, recovered_seconds=600, **works)(asyncio.Event()), 180)


@pytest.mark.parametrize(
    ("part", "error"), [("api", OSError("the port is taken")), ("relay", NotConfigured("no Kafka", "set it"))]
)
async def test_a_process_ends_when_its_api_fails_or_a_setting_is_missing(
    container: Any, part: str, error: Exception
) -> None:
    async def fails(stop: asyncio.Event) -> None:
        raise error

    works = {"api": until_stopped, "relay": until_stopped, part: fails}

    with pytest.raises(type(error)):
        await asyncio.wait_for(supervised(container, **works)(asyncio.Event()), 180)


async def test_a_part_that_fails_while_the_process_stops_is_its_error(container: Any) -> None:
    stop, started = asyncio.Event(), asyncio.Event()

    async def fails_at_the_end(stop: asyncio.Event) -> None:
        started.set()
        await stop.wait()
        raise RuntimeError("while closing")

    running = asyncio.create_task(
        supervised(container, recovered_seconds=600, relay=fails_at_the_end, api=until_stopped)(stop)
    )
    await started.wait()
    stop.set()

    with pytest.raises(RuntimeError, match="while closing"):
        await running


async def test_housekeeping_that_fails_is_started_again(container: Any) -> None:
    stop, tries = asyncio.Event(), list[str]()

    async def fails(stop: asyncio.Event) -> None:
        tries.append("once more")
        if len(tries) == 3:
            stop.set()
        else:
            raise RuntimeError("a fault")

    with pytest.raises(RuntimeError):
        await supervised(container, recovered_seconds=600, housekeeping=fails, api=until_stopped)(stop)

    assert len(tries) == 3
