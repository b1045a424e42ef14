"""The memory adapter keeps consumers' effects as promised."""

import pytest

from tests.contracts.analytics import AnalyticsContract
from tests.contracts.consumer_store import ConsumerStoreContract
from tests.contracts.handling import HandlingContract
from tests.contracts.inventory import InventoryContract
from tests.contracts.notifications import NotificationsContract
from tests.contracts.rebuilding import RebuildingContract
from tests.contracts.replaying import ReplayingContract
from tests.support.effects import World, memory_world


class TestMemoryEffects(ConsumerStoreContract):
    @pytest.fixture
    def world(self) -> World:
        return memory_world()


class TestHandlingInMemory(HandlingContract):
    @pytest.fixture
    def world(self) -> World:
        return memory_world()


class TestNotificationsInMemory(NotificationsContract):
    @pytest.fixture
    def world(self) -> World:
        return memory_world()


class TestInventoryInMemory(InventoryContract):
    @pytest.fixture
    def world(self) -> World:
        return memory_world()


class TestAnalyticsInMemory(AnalyticsContract):
    @pytest.fixture
    def world(self) -> World:
        return memory_world()


class TestReplayingInMemory(ReplayingContract):
    @pytest.fixture
    def world(self) -> World:
        return memory_world()


class TestRebuildingInMemory(RebuildingContract):
    @pytest.fixture
    def world(self) -> World:
        return memory_world()
