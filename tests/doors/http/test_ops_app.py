"""The operations server of a process."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from orderflow import NotConfigured, Settings
from orderflow.entrypoints import http, main_loop
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.ops_server import ops_server
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.door import calling
from tests.support.servers import free_port
from tests.support.waiting import eventually_async


@pytest.fixture
async def container() -> AsyncIterator[Any]:
    """Yield an open container with storage in memory and an operations port."""
    container = container_for(Settings(database_url="memory://", http_port=0, http_dev=True, ops_port=free_port()))
    async with opened(container):
        yield container


async def test_the_server_has_liveness_readiness_and_metrics(container: Any) -> None:
    url = f"http://127.0.0.1:{container.settings().ops_port}"

    async with ops_server(container), httpx.AsyncClient(base_url=url) as client:
        answers = {path: await client.get(path) for path in ("/livez", "/readyz", "/metrics")}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert answers["/readyz"].json() == {"status": "ready", "checks": {"database": "ok"}}
    assert "orderflow_db_up 1.0" in answers["/metrics"].text


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_parameters_are_refused_by_both_servers(container: Any, path: str) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run_parts(container, api=True, stop=stop))
    api = await eventually_async(lambda: _url_of_api(container), that="the API listens")

    async with httpx.AsyncClient() as client:
        urls = (api, f"http://127.0.0.1:{container.settings().ops_port}")
        assert (await client.get(f"{api}/metrics")).status_code == 404
        answers = [await client.get(f"{url}{path}", params={"name": "x"}) for url in urls]
    stop.set()
    await running

    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.json()["errors"][0]["parameter"] for answer in answers] == ["name", "name"]


async def _url_of_api(container: Any) -> str:
    return next((it.url for it in container.process_registration().describe().parts if it.name == "api"), "")


def answers_while_blocked(url: str, *paths: str) -> dict[str, httpx.Response]:
    """Request ``paths``; the event loop of the thread that calls this runs nothing until all are answered."""
    with httpx.Client(base_url=url, timeout=180) as client:
        return {path: client.get(path) for path in paths}


async def test_the_server_answers_while_the_event_loop_of_the_process_is_blocked(
    container: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_loop, "BLOCKED_AFTER", 0.0)
    url = f"http://127.0.0.1:{container.settings().ops_port}"

    async with ops_server(container):
        answers = answers_while_blocked(url, "/livez", "/readyz", "/metrics")
        recovered = await asyncio.to_thread(answers_while_blocked, url, "/livez")

    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/livez": 200,
        "/readyz": 503,
        "/metrics": 200,
    }
    assert "its event loop has been blocked for" in answers["/readyz"].json()["checks"]["database"]
    assert 'orderflow_scrape_errors_total{backend="process"} 1.0' in answers["/metrics"].text
    assert recovered["/livez"].status_code == 200


async def test_a_process_whose_event_loop_is_blocked_for_long_is_not_alive(container: Any) -> None:
    now = [0.0]
    loop = main_loop.MainLoop(asyncio.get_running_loop(), clock=lambda: now[0])
    app = http.create_ops_app({}, container.scrape(), blocked=loop.blocked)

    async with calling(app) as client:
        now[0] = 30.0
        before = await client.get("/livez")
        now[0] = 31.0
        after = await client.get("/livez")

    assert (before.status_code, before.json()) == (200, {"status": "alive"})
    assert (after.status_code, after.json()) == (503, {"status": "the event loop has been blocked for 31 s"})


async def test_the_server_has_no_orders(container: Any) -> None:
    url = f"http://127.0.0.1:{container.settings().ops_port}"

    async with ops_server(container), httpx.AsyncClient(base_url=url) as client:
        answers = [(await client.get(path)).status_code for path in ("/v1/orders", "/openapi.json", "/docs")]

    assert answers == [404, 404, 404]


async def test_the_server_is_closed_at_the_end(container: Any) -> None:
    async with ops_server(container):
        pass

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{container.settings().ops_port}/livez")


async def test_the_error_of_an_occupied_port_names_the_setting(container: Any) -> None:
    entered = []
    occupied = socket.create_server(("127.0.0.1", container.settings().ops_port))
    with occupied, pytest.raises(NotConfigured, match="ORDERFLOW_OPS_PORT"):
        async with ops_server(container):
            entered.append("open")

    assert entered == []


async def test_without_the_extra_a_process_runs_without_the_server_and_logs_a_warning(
    container: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(module: str) -> Any:
        raise NotConfigured("the HTTP API needs litestar", "pip install 'orderflow-service[http]'")

    monkeypatch.setattr(http, "_with_extra", missing)

    with caplog.at_level(logging.WARNING):
        async with ops_server(container):
            entered = True

    assert entered
    assert "pip install 'orderflow-service[http]'" in caplog.text
