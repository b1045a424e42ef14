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
    """A client of the routes of orders, and of all others where the marker ``every_feature`` asks for them."""
    every_feature = request.node.get_closest_marker("every_feature") is not None
    async with calling(installation.app(every_feature=every_feature)) as client:
        yield client
