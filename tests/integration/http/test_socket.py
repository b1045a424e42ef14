"""The door on a real socket: requests, live streams, and a clean end."""

import asyncio
import logging
import socket

import pytest
from httpx import AsyncClient
from orderflow.application.log_lines import EACH
from orderflow.domain.errors import NotConfigured
from orderflow.entrypoints.http import serve

from tests.integration.http.conftest import served
from tests.support.door import Installation, an_order, placed
from tests.support.garbage import living

DEADLINE = 60.0


async def test_an_order_lives_over_a_real_socket(boss: AsyncClient) -> None:
    answer = await placed(boss, "2024/5")

    states = [
        (await boss.patch(f"{answer.headers['location']}/state", json=body)).json()["state"]
        for body in ({"state": "preparing"}, {"state": "on_the_way", "shipperId": "S3"}, {"state": "delivered"})
    ]

    assert states == ["preparing", "on_the_way", "delivered"]
    assert answer.headers["location"] == "/v1/orders/2024%2F5"


async def test_the_server_reveals_nothing_about_what_it_runs_on(boss: AsyncClient) -> None:
    answer = await boss.get("/livez")

    assert "server" not in answer.headers


async def test_every_response_forbids_browsers_what_they_need_not_do(boss: AsyncClient) -> None:
    for path in ("/livez", "/nope", "/docs", "/openapi.json", "/v1/orders"):
        headers = (await boss.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert headers["cross-origin-resource-policy"] == "same-origin", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path


async def test_no_response_of_the_api_is_left_to_the_caches_of_others(boss: AsyncClient) -> None:
    for path in ("/v1/orders", "/v1/orders/none", "/v1/customers/C1/export", "/v1/analytics/states"):
        assert (await boss.get(path)).headers.get("cache-control") in ("no-store", "private, no-cache"), path


async def test_the_origin_of_a_request_is_its_connection_whatever_its_headers_say(
    boss: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    forged = {"X-Forwarded-For": "planted@example.org", "X-Forwarded-Proto": "https"}
    with caplog.at_level(logging.INFO, "orderflow.audit"):
        await boss.get("/v1/orders/none", headers=forged)

    lines = [line for record in caplog.records for line in getattr(record, EACH, ())]
    assert [line["origin"] for line in lines if line["event"] == "audit"] == ["127.0.0.1"]


async def test_a_kept_connection_sends_each_response_at_once(installation: Installation) -> None:
    async with served(installation.app()) as server, asyncio.timeout(DEADLINE):
        host, _, port = server.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")

        delayed = [
            each.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
            for each in living(asyncio.Transport)
            if each.get_extra_info("peername") == writer.get_extra_info("sockname")
        ]
        writer.close()

    assert delayed == [False]


async def test_events_arrive_while_the_order_lives(boss: AsyncClient) -> None:
    await placed(boss)
    seen: list[str] = []

    async with asyncio.timeout(DEADLINE), boss.stream("GET", "/v1/orders/O1/stream") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                seen.append(line.removeprefix("event: "))
                if seen == ["order.created"]:
                    await boss.post("/v1/orders/O1/cancel", json={"reason": "too late"})

    assert seen == ["order.created", "order.state_changed", "order.cancelled"]


@pytest.mark.parametrize(
    ("actor", "media_type", "status"),
    [
        ("admin:boss", "application/json", 413),
        ("admin:boss", "text/plain", 415),
        ("nobody", "application/json", 401),
    ],
)
async def test_a_body_that_never_ends_is_cut_off(
    installation: Installation, actor: str, media_type: str, status: int
) -> None:
    chunk = b"400\r\n" + b" " * 0x400 + b"\r\n"
    request = (
        f"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nX-Actor: {actor}\r\nContent-Type: {media_type}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    async with served(installation.app(max_body_bytes=10_000)) as server, asyncio.timeout(DEADLINE):
        host, _, port = server.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request.encode() + 20 * chunk)

        answer = await reader.read()
        writer.close()

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_stop_closes_live_streams_and_lets_requests_finish(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()
    reserve = installation.gateway.__class__.authorize

    async def later(*args: object, **named: object) -> object:
        waiting.set()
        await go_on.wait()
        return await reserve(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("orderflow.adapters.payment_gateway.SandboxGateway.authorize", later)
    async with (
        served(installation.app()) as server,
        AsyncClient(base_url=server.url, headers={"X-Actor": "admin:boss"}, timeout=DEADLINE) as client,
        asyncio.timeout(DEADLINE),
    ):
        await placed(client, "O1", paymentMethod="card", cardToken="tok_success")
        async with client.stream("GET", "/v1/orders/O1/stream") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            paying = asyncio.create_task(client.post("/v1/orders/O1/payment", json={}))
            await waiting.wait()

            server.stop.set()
            rest = [line async for line in lines]
            go_on.set()
            paid = await paying
        await server.task

    assert not any(line.startswith("id: 3") for line in rest)
    assert (paid.status_code, paid.json()["paymentStatus"]) == (200, "paid")


async def test_a_cancelled_server_ends_as_cleanly(installation: Installation) -> None:
    steps: list[str] = []

    async def up() -> None:
        steps.append("up")

    async def down() -> None:
        steps.append("down")

    async with served(installation.app(on_startup=[up], on_shutdown=[down])) as server:
        async with AsyncClient(base_url=server.url) as client:
            await client.get("/livez")
        server.task.cancel()
        await asyncio.wait({server.task}, timeout=DEADLINE)

    assert server.task.cancelled()
    assert steps == ["up", "down"]


async def test_an_address_that_is_taken_is_said_to_be(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(NotConfigured, match=f"cannot listen on 127.0.0.1:{port}"):
            await serve(installation.app(), host="127.0.0.1", port=port)


async def test_a_start_that_fails_is_the_callers_to_see(installation: Installation) -> None:
    async def fails() -> None:
        raise NotConfigured("the oven is cold", "heat it")

    with pytest.raises(NotConfigured, match="the oven is cold"):
        await serve(installation.app(on_startup=[fails]), host="127.0.0.1", port=0)


async def test_one_key_of_many_callers_at_once_makes_one_order(installation: Installation, boss: AsyncClient) -> None:
    asked = [boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"}) for _ in range(20)]

    answers = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["orderId"] for answer in answers if answer.status_code == 201}) == 1
    assert len((await boss.get("/v1/orders")).json()["orders"]) == 1
