"""The door on a real socket."""

from collections.abc import AsyncIterator

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
