"""The memory adapter keeps what every storage promises."""

import pytest
from orderflow.adapters.memory import MemoryStorage
from orderflow.testing import StorageCrashContract
from orderflow.testing.event_limit import LIMIT
from orderflow.testing.storage import StorageContract


class TestMemoryStorage(StorageContract, StorageCrashContract):
    waits = False

    @pytest.fixture
    def commits(self) -> list[None]:
        return []

    @pytest.fixture
    def storage(self, commits: list[None]) -> MemoryStorage:
        return MemoryStorage(on_commit=lambda: commits.append(None), phone_region="DE")

    @pytest.fixture
    def limited(self) -> MemoryStorage:
        return MemoryStorage(event_limit=LIMIT)
