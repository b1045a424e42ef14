"""A process says that it lives, whatever happens to the database, and takes its leave when it ends in order."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from attrs import evolve
from orderflow.adapters.memory.processes import MemoryProcessRegistry
from orderflow.application.health.heartbeat import PRUNE_EVERY, Heartbeat
from orderflow.application.health.last_failure import MAX_MESSAGE, Failures
from orderflow.application.health.processes import Process
from orderflow.domain.errors import GatewayUnavailable, InvalidInput, StorageUnavailable, StreamUnavailable
from orderflow.entrypoints.process_registration import PROCESS, ProcessRegistration
from orderflow.testing.processes import process
from pytest_mock import MockerFixture

from tests.support.waiting import eventually_async
from tests.unit.domain.actors import AT


def now() -> datetime:
    return datetime.now(UTC)


class Registry(MemoryProcessRegistry):
    """A registry that can be unavailable, or hang."""

    away = False
    hanging = False
    asked = 0
    tidied = 0

    async def heartbeat(self, process: Process, at: datetime) -> None:
        self.asked += 1
        if self.hanging:
            await asyncio.Event().wait()
        if self.away:
            raise StorageUnavailable("postgresql", "no answer in time")
        await super().heartbeat(process, at)

    async def prune(self, silent_for: float) -> int:
        self.tidied += 1
        return await super().prune(silent_for)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@asynccontextmanager
async def beating(heartbeat: Heartbeat) -> AsyncIterator[asyncio.Event]:
    """The heartbeat at work inside the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(heartbeat(stop))
    yield stop
    stop.set()
    await task


async def test_the_first_heartbeat_is_immediate_and_others_follow(registry: Registry) -> None:
    heartbeat = Heartbeat(registry=registry, describe=process, clock=now, every=0.01)

    async with beating(heartbeat):
        await eventually_async(lambda: heartbeat.beats >= 3, that="it beats again and again")

    assert [known.process for known in await registry.all()] == [process()]
    assert heartbeat.failures == 0


async def test_a_change_is_stored_before_the_next_heartbeat_is_due(registry: Registry) -> None:
    descriptions = [process()]
    heartbeat = Heartbeat(registry=registry, describe=lambda: descriptions[-1], clock=now, every=3600)

    async with beating(heartbeat):
        await eventually_async(lambda: heartbeat.beats == 1, that="it has beaten")
        descriptions.append(evolve(process(), failures=1))
        await eventually_async(lambda: heartbeat.beats == 2, that="the change is stored")

    assert (await registry.all())[0].process.failures == 1


async def test_an_unavailable_database_is_counted_logged_once_and_retried(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.away = True
    heartbeat = Heartbeat(registry=registry, describe=process, clock=now, every=0.01)

    with caplog.at_level(logging.INFO, "orderflow.registry"):
        async with beating(heartbeat):
            await eventually_async(lambda: heartbeat.failures >= 3, that="it fails and goes on")
            registry.away = False
            await eventually_async(lambda: heartbeat.beats >= 2, that="it beats again")

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert len(await registry.all()) == 1


async def test_a_heartbeat_to_a_database_that_hangs_is_abandoned(registry: Registry) -> None:
    registry.hanging = True
    heartbeat = Heartbeat(registry=registry, describe=process, clock=now, patience=0.01)

    assert not await heartbeat.heartbeat()

    assert (heartbeat.failures, heartbeat.beats) == (1, 0)


async def test_registrations_that_are_long_silent_are_pruned(registry: Registry) -> None:
    heartbeat = Heartbeat(registry=registry, describe=process, clock=now)

    for _ in range(PRUNE_EVERY + 1):
        await heartbeat.heartbeat()

    assert registry.tidied == 2


async def test_deregistering_without_a_database_does_not_raise(registry: Registry, mocker: MockerFixture) -> None:
    mocker.patch.object(registry, "deregister", side_effect=StorageUnavailable("postgresql", "away"))
    heartbeat = Heartbeat(registry=registry, describe=process, clock=now)

    await heartbeat.deregister()

    assert heartbeat.failures == 1


@pytest.fixture
def process_registration() -> ProcessRegistration:
    return ProcessRegistration(Failures(lambda: AT), lambda: AT, "p1")


async def test_a_process_is_registered_while_it_runs_and_deregistered_at_its_end(
    process_registration: ProcessRegistration, registry: Registry
) -> None:
    process_registration.runs("api")
    process_registration.listens("http://127.0.0.1:8080")

    async with process_registration.registered(registry):
        await eventually_async(lambda: registry.asked, that="it is noted")
        [inside] = await registry.all()

    assert (inside.process.kind, inside.process.parts[0].url) == ("api", "http://127.0.0.1:8080")
    assert inside.process.host
    assert inside.process.version
    assert list(await registry.all()) == []


async def test_a_process_that_fails_stays_registered_with_its_failure(
    process_registration: ProcessRegistration, registry: Registry
) -> None:
    process_registration.runs("relay")

    with pytest.raises(StreamUnavailable):
        async with process_registration.registered(registry):
            raise StreamUnavailable("Kafka", "gone for good")

    [known] = await registry.all()
    assert known.process.failure is not None
    assert (known.process.failure.part, known.process.failure.code) == (PROCESS, "stream_unavailable")


async def test_the_partitions_of_a_process_are_those_of_its_part(
    process_registration: ProcessRegistration,
) -> None:
    class Source:
        partitions: tuple[int, ...] = ()

    source = Source()
    process_registration.runs("analytics", source)
    before = process_registration.describe().parts

    source.partitions = (0, 2)

    assert [str(part) for part in (*before, *process_registration.describe().parts)] == [
        "analytics: partitions none yet",
        "analytics: partitions 0, 2",
    ]


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (["api"], "api"),
        (["relay"], "relay"),
        (["inventory"], "consumers"),
        (["inventory", "analytics"], "consumers"),
        (["api", "relay"], "several"),
        (["embedding", "analytics"], "embedding"),
    ],
)
def test_the_kind_of_a_process_is_what_it_runs(
    process_registration: ProcessRegistration, parts: list[str], kind: str
) -> None:
    for part in parts:
        process_registration.runs(part)

    assert process_registration.describe().kind == kind


@pytest.mark.parametrize(
    "failure",
    [
        InvalidInput("userId", "'Ada Lovelace' is none", "an identifier"),
        GatewayUnavailable("gateway", "card of Ada Lovelace"),
        KeyError("Ada Lovelace"),
    ],
)
def test_of_a_failure_that_may_contain_personal_data_only_the_code_is_kept(failure: Exception) -> None:
    failures = Failures(lambda: AT)

    failures.note("api", failure)

    assert failures.last is not None
    assert (failures.last.message, "Ada" in repr(failures.last)) == ("", False)
    assert failures.last.code


def test_a_failure_of_a_server_is_kept_bounded_and_counted() -> None:
    failures = Failures(lambda: AT)

    for _ in range(2):
        failures.note("relay", StreamUnavailable("Kafka", "x" * 1_000))

    assert failures.last is not None
    assert failures.last.message.startswith("Kafka does not answer: xxx")
    assert (len(failures.last.message), failures.count, failures.last.at) == (MAX_MESSAGE, 2, AT)
