"""The memory adapter passes the suites of the consumers' data."""

import pytest
from orderflow.testing.consumers.world import World, memory_world

from tests.consumer_suites import *  # noqa: F403


@pytest.fixture
def world() -> World:
    return memory_world()
