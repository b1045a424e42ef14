"""An installation in memory, and a client of its API with the role admin."""

from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from tests.support.door import Installation, calling


@pytest.fixture
def installation() -> Installation:
    return Installation()


@pytest.fixture
async def boss(installation: Installation) -> AsyncIterator[AsyncClient]:
    async with calling(installation.app()) as client:
        yield client
