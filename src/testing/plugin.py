"""Fixtures for the tests of an application. In its conftest.py: ``pytest_plugins = ["orderflow.testing.plugin"]``."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ..entrypoints.embedded import OrderFlow
from .clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of ``orderflow``, which goes by hand."""
    return ManualClock()


@pytest_asyncio.fixture
async def orderflow(clock: ManualClock) -> AsyncIterator[OrderFlow]:
    """Open an OrderFlow in memory that runs all shipped consumers, at the time of ``clock``."""
    async with OrderFlow.in_memory(clock=clock) as flow:
        yield flow
