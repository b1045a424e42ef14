"""Every kind of process registers itself and its last failure."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import pytest
from orderflow import OrderFlow
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.sql.health import trouble
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.health.facts import FailureReason
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay
from orderflow.domain.errors import InvalidInput, StorageUnavailable, StreamUnavailable
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.door import Installation, calling
from tests.support.waiting import eventually_async
from tests.unit.relay.test_run_relay import FailingTopic, add


async def parts_of(storage: Any) -> Sequence[str]:
    return [part.name for known in await storage.processes.all() for part in known.process.parts]


async def test_a_process_registers_the_parts_that_it_runs_and_deregisters_when_it_is_stopped() -> None:
    container, stop = container_for(Settings(database_url="memory://")), asyncio.Event()

    async with opened(container):
        running = asyncio.create_task(run_parts(container, consumers=("analytics", "inventory"), stop=stop))
        noted = await eventually_async(lambda: parts_of(container.storage()), that="the process is noted")
        stop.set()
        await running

        assert noted == ["analytics", "inventory"]
        assert await parts_of(container.storage()) == []


async def test_an_embedding_application_is_registered_with_its_consumers_and_handlers() -> None:
    async with OrderFlow.in_memory(consumers=["analytics"]) as flow:
        storage = flow.container.storage()

        @flow.on("order.created", name="greeter")
        async def greet(event: object) -> None:
            """Nothing to do."""

        async def all_parts() -> bool:
            return await parts_of(storage) == ["embedding", "analytics", "greeter"]

        await eventually_async(all_parts, that="all its parts are noted")

    assert await parts_of(storage) == []


async def test_what_fails_in_an_application_of_its_own_leaves_nothing_behind() -> None:
    storages = []

    async def application() -> None:
        async with OrderFlow.in_memory(consumers=[]) as flow:
            storages.append(flow.container.storage())
            raise LookupError("the application's own")

    with pytest.raises(LookupError):
        await application()

    assert await parts_of(storages[0]) == []


async def test_a_relay_reports_every_backend_that_did_not_answer() -> None:
    storage, topic, stop, reported = MemoryStorage(), FailingTopic(failing=2), asyncio.Event(), list[Exception]()
    await add(storage, 3)
    pending = PublishPending(storage.log, topic, storage.cursors)
    run = RunRelay(pending, LocalWakeup().listener(), failed=reported.append)

    running = asyncio.create_task(run(stop))
    await eventually_async(lambda: run.published == 3, that="all is published")
    stop.set()
    await running

    assert [type(error) for error in reported] == [StreamUnavailable] * 2


@pytest.mark.parametrize(
    ("error", "reported"),
    [(RuntimeError("broken"), 1), (StorageUnavailable("database", "away"), 1), (InvalidInput("id", "no", "a name"), 0)],
)
async def test_an_api_reports_errors_that_its_callers_did_not_cause(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reported: int
) -> None:
    async def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("orderflow.adapters.memory.orders.MemoryOrderQueries.get_all", fails)
    errors: list[Exception] = []

    async with calling(Installation().app(failed=errors.append)) as client:
        await client.get("/v1/orders/O1")

    assert [repr(each) for each in errors] == [repr(error)] * reported


@pytest.mark.parametrize(
    ("beneath", "cause"),
    [
        (socket.gaierror(-2, "Name or service not known"), FailureReason.NO_SUCH_HOST),
        (ConnectionRefusedError(111, "Connect call failed"), FailureReason.REFUSED),
        (TimeoutError(), FailureReason.TIMEOUT),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), FailureReason.TLS),
        (ConnectionError("PostgreSQL server rejected SSL upgrade"), FailureReason.TLS),
        (ConnectionResetError(104, "Connection reset by peer"), FailureReason.DROPPED),
        (OSError(5, "Input/output error"), FailureReason.OTHER),
    ],
)
def test_the_reason_for_a_connection_failure_comes_from_its_cause(beneath: Exception, cause: FailureReason) -> None:
    try:
        raise StorageUnavailable("postgresql", "no answer") from beneath
    except StorageUnavailable as error:
        found = trouble(error)

    assert found.reason is cause
    assert found.message
