"""An installation in memory, and clients of its API with the role admin."""

from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient
from litestar import Litestar

from tests.support.door import Installation, calling


@pytest.fixture
def installation() -> Installation:
    return Installation()


@pytest.fixture
def features(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The features that the marker ``features`` names."""
    return _features(request)


def _features(request: pytest.FixtureRequest) -> tuple[str, ...]:
    marker = request.node.get_closest_marker("features")
    return () if marker is None else marker.args


@pytest.fixture
async def boss(installation: Installation, features: tuple[str, ...]) -> AsyncIterator[AsyncClient]:
    """A client of the routes of orders, and of those of ``features``."""
    async with calling(installation.app(features=features)) as client:
        yield client


@pytest.fixture(scope="module")
def shared_app(request: pytest.FixtureRequest) -> Litestar:
    """The application that a module's visitors share, with the features that the module names."""
    return Installation().app(features=_features(request), limits={"requests_per_second": 100_000})


@pytest.fixture
async def visitor(shared_app: Litestar) -> AsyncIterator[AsyncClient]:
    """A client as ``boss``, for requests that change nothing: building an application takes longer than they do."""
    async with calling(shared_app) as client:
        yield client
