"""The memory adapter keeps what every storage promises."""

import pytest
from orderflow.adapters.memory import MemoryStorage

from tests.contracts.event_limit import LIMIT
from tests.contracts.storage import StorageContract


class TestMemoryStorage(StorageContract):
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
