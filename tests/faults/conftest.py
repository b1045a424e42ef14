"""Databases for the campaign, and how its figures come to the end of every run."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.wakeup import LocalWakeup

from tests.conftest import FIGURE

LARGE = "ORDERFLOW_TEST_FAULTS"
"""``large`` there runs what takes too long for every run; ``make faults`` and ``make sweep`` set it."""

Note = Callable[[str], None]
Connect = Callable[[str], Awaitable[SqlStorage]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out by name what only ``make faults`` and ``make sweep`` run."""
    if os.environ.get(LARGE) == "large":
        return
    for item in items:
        if "large" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="too long for every run: `make faults` or `make sweep` runs it"))


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Says a figure at the end of the run, also of one that several processes share."""

    def said(figure: str) -> None:
        request.node.user_properties.append((FIGURE, figure))

    return said


@pytest.fixture
def postgresql_url(migrated_url: str) -> str:
    """A database of the test's own: some of the designs that must be caught change its schema."""
    return migrated_url


@pytest.fixture
def news() -> LocalWakeup:
    return LocalWakeup()


@pytest.fixture
async def connect(news: LocalWakeup) -> AsyncIterator[Connect]:
    """Makes storages, each as a process of its own would have it, which all notify ``news``; closed after the test."""
    made: list[SqlStorage] = []

    async def connect(url: str) -> SqlStorage:
        made.append(SqlStorage.at(url, pool_size=4, on_commit=news.notify))
        await made[-1].open()
        return made[-1]

    yield connect
    for storage in made:
        await storage.close()
