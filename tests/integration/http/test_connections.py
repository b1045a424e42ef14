"""Limits of connections, on real sockets. The deadlines are short, and a test waits for their effect only."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from httpx import AsyncClient
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.entrypoints.http import connections
from orderflow.entrypoints.http.protocol import HttpProtocol

from tests.integration.http.conftest import sent_whole, served
from tests.support.door import BOSS, Installation, ServedApi, an_order
from tests.support.garbage import living
from tests.support.metrics import Samples
from tests.support.waiting import eventually_async

DEADLINE = 60.0
HEAD = b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:boss\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def connected(server: ServedApi) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield reader, writer
        finally:
            writer.close()


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /livez HTTP/1.1\r\nHo",
        HEAD + b"Content-Length: 10\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ],
)
async def test_a_request_that_is_never_complete_ends_its_connection(
    installation: Installation, beginning: bytes
) -> None:
    async with served(installation.app(), read_seconds=0.2) as server, connected(server) as (reader, writer):
        writer.write(beginning)

        response = await reader.read()

    assert response.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_second_request_that_is_never_complete_ends_its_connection(installation: Installation) -> None:
    async with served(installation.app(), read_seconds=0.2) as server, connected(server) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /liv")
        response = await reader.read()

    assert response.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in response


async def test_the_deadline_of_a_request_behind_a_slow_one_begins_with_its_turn(installation: Installation) -> None:
    answer = asyncio.Event()

    async def slow() -> None:
        await answer.wait()

    app = installation.app(checks={"database": slow})
    async with served(app, read_seconds=0.2) as server, connected(server) as (reader, writer):
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: door\r\n\r\n" + HEAD + b"Content-Length: 10\r\n\r\n{")
        for _ in range(2):
            async with connected(server) as (late, _):
                assert (await late.read()).startswith(b"HTTP/1.1 408 ")  # a deadline that began later has passed
        answer.set()
        response = await reader.read()

    assert [part[:3] for part in response.split(b"HTTP/1.1 ")[1:]] == [b"200", b"408"]


async def test_a_live_stream_outlasts_the_deadline_of_a_request(installation: Installation) -> None:
    app = installation.app()
    async with (
        served(app, read_seconds=0.2, write_seconds=0.2) as server,
        served(app) as patient,
        AsyncClient(base_url=patient.url, headers={"X-Actor": BOSS}, timeout=DEADLINE) as boss,
    ):
        await boss.post("/v1/orders", json=an_order(orderId="O1"))
        async with connected(server) as (reader, writer):
            writer.write(b"GET /v1/orders/O1/stream HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:boss\r\n\r\n")
            await reader.readuntil(b"order.created")
            async with connected(server) as (idle, _):
                await idle.read()  # until the deadline of a connection that was made later
            await boss.post("/v1/orders/O1/cancel", json={"reason": "too late"})
            await reader.readuntil(b"order.cancelled")


async def test_a_response_that_is_not_read_ends_its_connection(installation: Installation) -> None:
    large = {"foodName": "x" * 200, "foodId": "F", "price": 1, "quantity": 1}
    async with (
        served(installation.app(), write_seconds=0.2) as server,
        AsyncClient(base_url=server.url, headers={"X-Actor": BOSS}) as boss,
        connected(server) as (_, writer),
    ):
        for _ in range(20):
            await boss.post("/v1/orders", json=an_order(orderDetails=[large] * 100))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(30 * b"GET /v1/orders?limit=200 HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:boss\r\n\r\n")

        while not_ended(writer):
            await boss.get("/livez")


def not_ended(client: asyncio.StreamWriter) -> bool:
    """Return whether the server's end of the connection is open."""
    return any(
        each.get_extra_info("peername") == client.get_extra_info("sockname")
        for each in living(asyncio.Transport)
        if not each.is_closing()
    )


@pytest.mark.parametrize("limit", ["connections", "per_address"])
async def test_connections_above_the_limit_are_refused(installation: Installation, limit: str) -> None:
    async with served(installation.app(), **{limit: 2}) as server:
        async with connected(server), connected(server), connected(server) as (reader, _):
            refused = await reader.read()
        admitted = b"HTTP/1.1 503 "
        while admitted.startswith(b"HTTP/1.1 503 "):  # until the server knows that the others are closed
            async with connected(server) as (reader, writer):
                writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                admitted = await reader.read()

    assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Retry-After: 1\r\n" in refused
    assert admitted.startswith(b"HTTP/1.1 200 ")


NOPE = b"POST /nope HTTP/1.1\r\nHost: localhost\r\n"
LARGE = 20 * 1024 * 1024
DECLARED = b"Content-Length: %d\r\n\r\n" % LARGE
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MORE_THAN_IS_READ = {
    "no resource": (NOPE + DECLARED + LARGE * b" ", b"404"),
    "in chunks": (NOPE + CHUNKED + LARGE // 4096 * (b"1000\r\n" + 4096 * b" " + b"\r\n"), b"404"),
    "too large": (HEAD + DECLARED + LARGE * b" ", b"413 Content Too Large\r\n"),
    "no caller": (HEAD.replace(b"X-Actor", b"X-Other") + DECLARED + LARGE * b" ", b"401"),
    "headers": (HEAD + LARGE // 8 * b"X-A: b\r\n", b"431"),
    "no HTTP": (LARGE * b"\x16", b"400"),
    "after the last request": (b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + LARGE * b" ", b"200"),
}


@pytest.mark.parametrize("name", MORE_THAN_IS_READ)
async def test_a_client_that_sends_more_than_is_read_gets_its_response(installation: Installation, name: str) -> None:
    request, status = MORE_THAN_IS_READ[name]
    async with served(installation.app()) as server:
        response = await asyncio.to_thread(sent_whole, server, request)

    assert response.startswith(b"HTTP/1.1 " + status)
    assert response.count(b"HTTP/1.1 ") == 1


async def test_a_client_that_never_ends_what_is_ignored_is_disconnected(installation: Installation) -> None:
    async with served(installation.app(), read_seconds=0.2) as server, connected(server) as (_, writer):
        writer.write(NOPE + b"Content-Length: %d\r\n\r\n" % 10**12)
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()


async def test_a_server_that_ends_does_not_wait_for_what_it_ignores(installation: Installation) -> None:
    async with asyncio.timeout(DEADLINE):
        async with served(installation.app(), read_seconds=3_600) as server, connected(server) as (reader, writer):
            writer.write(NOPE + b"Content-Length: %d\r\n\r\n" % 10**12)
            await reader.read()


@pytest.mark.parametrize("number", [1, 3])
async def test_a_client_that_sends_nothing_more_gets_its_responses(installation: Installation, number: int) -> None:
    answer = asyncio.Event()

    async def slow() -> None:
        await answer.wait()

    app = installation.app(checks={"database": slow})
    async with served(app) as server, connected(server) as (reader, writer):
        writer.write(number * b"GET /readyz HTTP/1.1\r\nHost: door\r\n\r\n")
        writer.write_eof()
        await eventually_async(lambda: len(input_ended()) == 1)
        answer.set()
        response = await reader.read()

    assert response.count(b"HTTP/1.1 ") == number


def input_ended() -> list[HttpProtocol]:
    return [each for each in living(HttpProtocol) if each.input_ended and not each.transport.is_closing()]


async def test_a_client_that_ends_within_a_request_is_disconnected(installation: Installation) -> None:
    async with served(installation.app()) as server, connected(server) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 10\r\n\r\n{")
        writer.write_eof()

        assert await reader.read() == b""


async def test_garbage_in_the_middle_of_a_response_closes_the_connection(installation: Installation) -> None:
    async with served(installation.app()) as server, connected(server) as (reader, writer):
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot a size\r\n")
        response = await reader.read()

    assert response[:12] in (b"HTTP/1.1 400", b"")


async def test_what_is_not_http_is_counted_and_logged_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "REMARK_SECONDS", 0.2)
    instruments = Instruments()

    async with served(installation.app(instruments=instruments)) as server:
        for _ in range(20):
            async with connected(server) as (reader, writer):
                writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        await eventually_async(lambda: sum(not_http(record) for record in caplog.records) == 20)

    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert set(warnings) == {"connections were refused or ended"}
    assert Samples.counted(instruments).by(catalogue.HTTP_REFUSALS, "reason") == {"invalid_http": 20}


async def test_nothing_is_read_after_what_is_not_http_and_the_stream_before_it_goes_on(
    installation: Installation,
) -> None:
    instruments = Instruments()

    async with (
        served(installation.app(instruments=instruments)) as server,
        AsyncClient(base_url=server.url, headers={"X-Actor": BOSS}, timeout=DEADLINE) as boss,
        connected(server) as (reader, writer),
    ):
        await boss.post("/v1/orders", json=an_order(orderId="O1"))
        writer.write(b"GET /v1/orders/O1/stream HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:boss\r\n\r\n")
        await reader.readuntil(b"order.created")
        for _ in range(3):
            writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
            await boss.get("/livez")
        await boss.post("/v1/orders/O1/cancel", json={"reason": "too late"})
        rest = await reader.read()

    assert b"order.cancelled" in rest
    assert b"HTTP/1.1" not in rest
    assert Samples.counted(instruments).by(catalogue.HTTP_REFUSALS, "reason") == {"invalid_http": 1}


def not_http(record: logging.LogRecord) -> int:
    """Return how many connections the log line counts."""
    return int(getattr(record, "reasons", {}).get("invalid_http", 0))


async def test_a_caller_has_so_many_live_streams(installation: Installation) -> None:
    async with (
        served(installation.app(limits={"streams": 1})) as server,
        AsyncClient(base_url=server.url, headers={"X-Actor": BOSS}, timeout=DEADLINE) as boss,
    ):
        await boss.post("/v1/orders", json=an_order(orderId="O1"))
        async with boss.stream("GET", "/v1/orders/O1/stream") as first:
            second = await boss.get("/v1/orders/O1/stream")
            assert (first.status_code, second.status_code) == (200, 429)
        status = 429
        while status == 429:  # until the server knows that the first is closed
            async with boss.stream("GET", "/v1/orders/O1/stream") as third:
                status = third.status_code

    assert status == 200
