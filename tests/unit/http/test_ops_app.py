"""The operations door of a process: what it answers, and what it does without its port or its extra."""

import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from orderflow import NotConfigured, Settings
from orderflow.entrypoints import http
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.ops_server import ops_server
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.servers import free_port


@pytest.fixture
async def container() -> AsyncIterator[Any]:
    """On memory, open, with a port for its door."""
    container = container_for(Settings(database_url="memory://", ops_port=free_port()))
    async with opened(container):
        yield container


async def test_it_says_whether_the_process_lives_and_is_ready_and_what_it_counted(container: Any) -> None:
    door = f"http://127.0.0.1:{container.settings().ops_port}"

    async with ops_server(container), httpx.AsyncClient(base_url=door) as client:
        answers = {path: await client.get(path) for path in ("/livez", "/readyz", "/metrics")}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert answers["/readyz"].json() == {"status": "ready", "checks": {"database": "ok"}}
    assert "orderflow_db_up 1.0" in answers["/metrics"].text


async def test_it_knows_nothing_of_anybodys_orders(container: Any) -> None:
    door = f"http://127.0.0.1:{container.settings().ops_port}"

    async with ops_server(container), httpx.AsyncClient(base_url=door) as client:
        answers = [(await client.get(path)).status_code for path in ("/v1/orders", "/openapi.json", "/docs")]

    assert answers == [404, 404, 404]


async def test_it_is_closed_when_the_process_has_nothing_left_to_do(container: Any) -> None:
    async with ops_server(container):
        pass

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{container.settings().ops_port}/livez")


async def test_a_port_that_is_taken_is_named_with_its_setting(container: Any) -> None:
    reached = []
    taken = socket.create_server(("127.0.0.1", container.settings().ops_port))
    with taken, pytest.raises(NotConfigured, match="ORDERFLOW_OPS_PORT"):
        async with ops_server(container):
            reached.append("open")

    assert reached == []


async def test_without_the_extra_a_process_works_without_a_door_and_says_so(
    container: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(module: str) -> Any:
        raise NotConfigured("the HTTP door needs litestar", "pip install 'orderflow-service[http]'")

    monkeypatch.setattr(http, "_with_extra", missing)

    with caplog.at_level(logging.WARNING):
        async with ops_server(container):
            worked = True

    assert worked
    assert "pip install 'orderflow-service[http]'" in caplog.text
