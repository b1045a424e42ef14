"""The memory adapter keeps consumers' effects as promised."""

import pytest

from tests.contracts.consumer_store import ConsumerStoreContract
from tests.support.effects import World, memory_world


class TestMemoryEffects(ConsumerStoreContract):
    @pytest.fixture
    def world(self) -> World:
        return memory_world()
