"""The door on a real socket."""

import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial

import pytest
from httpx import AsyncClient

from tests.support.door import BOSS, FEATURES, Installation, ServedApi, served


@pytest.fixture
def installation() -> Installation:
    return Installation()


@pytest.fixture
async def server(installation: Installation) -> AsyncIterator[ServedApi]:
    async with served(installation.app(features=FEATURES)) as running:
        yield running


@pytest.fixture
async def boss(server: ServedApi) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=server.url, headers={"X-Actor": BOSS}, timeout=180) as client:
        yield client


def sent_whole(server: ServedApi, request: bytes, trusted: ssl.SSLContext | None = None) -> bytes:
    """Send all of a request before the first byte of the response is read, as most clients do."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=180) as plain:
        client = plain if trusted is None else trusted.wrap_socket(plain, server_hostname="localhost")
        client.sendall(request)
        return b"".join(iter(partial(client.recv, 65_536), b""))
