"""The API by TLS: who is let in, what is bounded, and that a new certificate is used without losing a connection."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, HTTPError
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.entrypoints.http import tls

from tests.integration.http.conftest import sent_whole
from tests.support.certificates import Certificates
from tests.support.door import BOSS, Installation, ServedApi, an_order, served
from tests.support.metrics import Samples
from tests.support.waiting import eventually_async

DEADLINE = 60.0
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path)
    made.write()
    return made


@asynccontextmanager
async def boss(server: ServedApi, trusted: ssl.SSLContext) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(
        base_url=server.url.replace("127.0.0.1", "localhost"),
        headers={"X-Actor": BOSS},
        verify=trusted,
        timeout=DEADLINE,
    ) as client:
        yield client


@asynccontextmanager
async def connected(server: ServedApi, trusted: ssl.SSLContext | None) -> AsyncIterator[Any]:
    port = int(server.url.rpartition(":")[2])
    async with asyncio.timeout(DEADLINE):
        name = "localhost" if trusted else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname=name)
        try:
            yield reader, writer
        finally:
            writer.close()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return the bytes that the server sends until it closes or resets the connection."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def refusals(instruments: Instruments) -> dict[str, float]:
    return dict(Samples.counted(instruments).by(catalogue.HTTP_REFUSALS, "reason"))


async def test_a_client_that_sends_more_than_is_read_gets_its_response_by_tls(
    installation: Installation, certificates: Certificates
) -> None:
    length = 20 * 1024 * 1024
    request = b"POST /nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % length + length * b" "

    async with served(installation.app(), tls=certificates.files()) as server:
        response = await asyncio.to_thread(sent_whole, server, request, certificates.client())

    assert response.startswith(b"HTTP/1.1 404 ")


async def test_orders_are_placed_read_and_followed_by_tls(
    installation: Installation, certificates: Certificates
) -> None:
    async with (
        served(installation.app(), tls=certificates.files()) as server,
        boss(server, certificates.client()) as client,
    ):
        placed = await client.post("/v1/orders", json=an_order(orderId="O1"))
        large = await client.post("/v1/orders", content=b"[" + b" " * 900_000 + b"]", headers=JSON)
        shown = await client.get("/v1/orders/O1")
        async with client.stream("GET", "/v1/orders/O1/stream") as stream:
            first = await anext(stream.aiter_lines())

    assert server.url.startswith("https://")
    assert (placed.status_code, large.status_code, shown.json()["orderId"]) == (201, 400, "O1")
    assert first
    assert shown.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    installation: Installation, certificates: Certificates
) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.client().wrap_bio(to_client, to_server, server_hostname="localhost")
    async with (
        served(installation.app(), tls=certificates.files(), write_seconds=1) as server,
        connected(server, None) as (reader, writer),
    ):
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        while to_server.pending:
            writer.write(to_server.read())
            to_client.write(await reader.read(64 * 1024))
            with suppress(ssl.SSLWantReadError):
                client.do_handshake()
                client.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                break
        writer.write(to_server.read())
        to_client.write(await ended(reader))

    assert client.read().startswith(b"HTTP/1.1 200 OK\r\n")


async def test_without_tls_no_browser_is_asked_to_insist_on_it(installation: Installation) -> None:
    async with served(installation.app()) as server, AsyncClient(base_url=server.url) as client:
        answer = await client.get("/livez")

    assert "strict-transport-security" not in answer.headers


async def test_a_handshake_that_never_ends_is_ended_and_counts_as_a_connection(
    installation: Installation, certificates: Certificates
) -> None:
    instruments = Instruments()
    app = installation.app(instruments=instruments)
    async with served(app, tls=certificates.files(), read_seconds=0.3, connections=2) as server:
        async with connected(server, None) as (silent, _), connected(server, None) as (slow, writer):
            writer.write(b"\x16\x03\x01\x02\x00")
            async with connected(server, None) as (refused, _):
                assert await ended(refused) == b""
            assert (await ended(silent), await ended(slow)) == (b"", b"")
        async with boss(server, certificates.client()) as client:
            assert (await client.get("/livez")).status_code == 200

    assert refusals(instruments) == {"connections": 1, "slow_handshake": 2}


@pytest.mark.parametrize(
    "sent", [b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 70_000]
)
async def test_what_is_no_handshake_ends_the_connection(
    installation: Installation, certificates: Certificates, sent: bytes
) -> None:
    instruments = Instruments()
    async with served(installation.app(instruments=instruments), tls=certificates.files()) as server:
        async with connected(server, None) as (reader, writer):
            writer.write(sent)
            answer = await ended(reader)
        async with boss(server, certificates.client()) as client:
            assert (await client.get("/livez")).status_code == 200

    assert not answer.startswith(b"HTTP")
    assert refusals(instruments) == {"failed_handshake": 1}


async def test_a_client_that_goes_away_in_its_handshake_counts_no_more(
    installation: Installation, certificates: Certificates
) -> None:
    async with served(installation.app(), tls=certificates.files(), per_address=3) as server:
        port = int(server.url.rpartition(":")[2])
        for reset in (False, True) * 5:
            raw = socket.create_connection(("127.0.0.1", port))
            raw.send(b"\x16\x03\x01\x02\x00")
            if reset:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            raw.close()

            async def answers() -> bool:
                try:
                    async with boss(server, certificates.client()) as client:
                        return (await client.get("/livez")).status_code == 200
                except HTTPError:
                    return False

            await eventually_async(answers, that="another connection is admitted")


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /livez HTTP/1.1\r\nHo",
        b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nX-Actor: admin:boss\r\nContent-Type: application/json\r\n"
        b"Content-Length: 10\r\n\r\n{",
    ],
)
async def test_a_request_that_is_never_complete_ends_its_connection(
    installation: Installation, certificates: Certificates, beginning: bytes
) -> None:
    async with (
        served(installation.app(), tls=certificates.files(), read_seconds=1) as server,
        connected(server, certificates.client()) as (reader, writer),
    ):
        writer.write(beginning)

        response = await ended(reader)

    assert response.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


LARGE = {"foodName": "x" * 200, "foodId": "F", "price": 1, "quantity": 1}
HEAD = b"Host: localhost\r\nX-Actor: admin:boss\r\n"
LISTS = 20 * (b"GET /v1/orders?limit=200 HTTP/1.1\r\n" + HEAD + b"\r\n")


async def test_a_response_that_is_not_read_ends_its_connection(
    installation: Installation, certificates: Certificates
) -> None:
    instruments = Instruments()
    async with (
        served(installation.app(instruments=instruments), tls=certificates.files(), write_seconds=0.5) as server,
        boss(server, certificates.client()) as client,
        connected(server, certificates.client()) as (_, unread),
    ):
        for _ in range(20):
            await client.post("/v1/orders", json=an_order(orderDetails=[LARGE] * 100))
        unread.transport.pause_reading()
        unread.write(LISTS)
        await eventually_async(
            lambda: refusals(instruments).get("unread_response") == 1, that="the unread response is given up"
        )


async def test_a_response_that_is_read_slowly_is_read_to_its_end(
    installation: Installation, certificates: Certificates
) -> None:
    limits = {"write_seconds": 3.0, "read_seconds": 0.5}
    async with (
        served(installation.app(), tls=certificates.files(), **limits) as server,
        boss(server, certificates.client()) as client,
    ):
        for _ in range(20):
            await client.post("/v1/orders", json=an_order(orderDetails=[LARGE] * 100))
        async with connected(server, certificates.client()) as (reader, writer):
            writer.write(LISTS + b"GET /livez HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n")
            received = b""
            for _ in range(10):  # for longer than the deadline of a response
                received += await reader.readexactly(1_000_000)
                async with connected(server, None) as (idle, _):
                    await ended(idle)
            rest = await reader.read()

    assert (received + rest).count(b"HTTP/1.1 200 OK") == 21
    assert rest.endswith(b'{"status":"alive"}')


async def test_with_authorities_for_clients_other_clients_are_refused(
    installation: Installation, certificates: Certificates, tmp_path: Path
) -> None:
    certificates.write("partner", host="partner")
    strangers = Certificates(tmp_path)
    strangers.write("stranger", host="stranger")
    files = certificates.files(client_ca=certificates.write_authority())

    async with served(installation.app(), tls=files) as server:
        async with boss(server, certificates.client("partner")) as client:
            partner = await client.get("/v1/orders")
        for other in ("", "stranger"):
            async with boss(server, certificates.client(other)) as client:
                with pytest.raises((HTTPError, ssl.SSLError)):
                    await client.get("/v1/orders")

    assert partner.status_code == 200


async def _serial(server: ServedApi, certificates: Certificates) -> Any:
    async with connected(server, certificates.client()) as (_, writer):
        return writer.get_extra_info("peercert")["serialNumber"]


async def test_a_new_certificate_is_used_and_open_connections_go_on(
    installation: Installation,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tls, "RELOAD_SECONDS", 0.05)
    instruments = Instruments()

    def expiry() -> float:
        return Samples.counted(instruments).total(catalogue.HTTP_CERTIFICATE_EXPIRES)

    def unusable() -> float:
        return Samples.counted(instruments).total(catalogue.HTTP_CERTIFICATE_UNUSABLE)

    async with (
        served(installation.app(instruments=instruments), tls=certificates.files()) as server,
        boss(server, certificates.client()) as client,
    ):
        await client.post("/v1/orders", json=an_order(orderId="O1"))
        first, before = await _serial(server, certificates), expiry()
        async with client.stream("GET", "/v1/orders/O1/stream") as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            (certificates.folder / "server-key.pem").write_text("nonsense")
            await eventually_async(lambda: "cannot be used" in caplog.text, that="the nonsense is logged")
            kept, while_unusable = await _serial(server, certificates), unusable()
            certificates.write(age="soon")
            await eventually_async(lambda: expiry() < before, that="the new certificate is used")
            second = await _serial(server, certificates)
            await client.post("/v1/orders/O1/cancel", json={"reason": "enough"})
            rest = [line async for line in lines]

    assert kept == first != second
    assert (while_unusable, unusable()) == (1, 0)
    assert caplog.text.count("cannot be used") == 1
    assert any("order.cancelled" in line for line in rest)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert {record.getMessage() for record in errors} == {"the new certificate cannot be used, the former one stays"}


async def test_the_server_stops_although_handshakes_are_in_progress(
    installation: Installation, certificates: Certificates
) -> None:
    limits = {"read_seconds": 10 * DEADLINE}
    async with (
        served(installation.app(), tls=certificates.files(), **limits) as server,
        connected(server, None) as (reader, _),
    ):
        async with boss(server, certificates.client()) as client:
            await client.get("/livez")
        server.stop.set()
        async with asyncio.timeout(DEADLINE):
            await server.task

        assert await ended(reader) == b""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_each_version_that_is_safe_is_spoken(
    installation: Installation, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    trusted = certificates.client()
    trusted.minimum_version = trusted.maximum_version = version

    async with served(installation.app(), tls=certificates.files()) as server, boss(server, trusted) as client:
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_an_older_version_is_refused(installation: Installation, certificates: Certificates) -> None:
    trusted = certificates.client()
    trusted.set_ciphers("ALL:@SECLEVEL=0")
    trusted.minimum_version, trusted.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1

    async with served(installation.app(), tls=certificates.files()) as server, boss(server, trusted) as client:
        with pytest.raises(HTTPError):
            await client.get("/livez")
