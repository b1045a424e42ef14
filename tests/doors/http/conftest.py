"""An installation in memory, and a client of its API with the role admin."""

from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from tests.support.door import Installation, calling


@pytest.fixture
def installation() -> Installation:
    return Installation()


@pytest.fixture
async def boss(installation: Installation, request: pytest.FixtureRequest) -> AsyncIterator[AsyncClient]:
    """A client of the routes of orders, and of those of the features that the marker ``features`` names."""
    marker = request.node.get_closest_marker("features")
    async with calling(installation.app(features=() if marker is None else marker.args)) as client:
        yield client
