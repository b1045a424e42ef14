"""The memory adapter passes the contracts of the consumers' data."""

import pytest
from orderflow.testing.consumers import (
    AnalyticsContract,
    ConsumerTransactionContract,
    DeadLetterStoreContract,
    HandleBatchContract,
    InventoryContract,
    NotificationsContract,
    NotificationStoreContract,
    PersonalDataContract,
    RebuildAnalyticsContract,
    RedriveContract,
    ReplayContract,
    StockStoreContract,
    WebhooksContract,
)
from orderflow.testing.consumers.world import World, memory_world


@pytest.fixture
def world() -> World:
    return memory_world()


class TestMemoryAnalytics(AnalyticsContract):
    """On a ``world`` in memory."""


class TestMemoryRebuildAnalytics(RebuildAnalyticsContract):
    """On a ``world`` in memory."""


class TestMemoryConsumerTransaction(ConsumerTransactionContract):
    """On a ``world`` in memory."""


class TestMemoryDeadLetterStore(DeadLetterStoreContract):
    """On a ``world`` in memory."""


class TestMemoryHandleBatch(HandleBatchContract):
    """On a ``world`` in memory."""


class TestMemoryInventory(InventoryContract):
    """On a ``world`` in memory."""


class TestMemoryStockStore(StockStoreContract):
    """On a ``world`` in memory."""


class TestMemoryNotifications(NotificationsContract):
    """On a ``world`` in memory."""


class TestMemoryNotificationStore(NotificationStoreContract):
    """On a ``world`` in memory."""


class TestMemoryRedrive(RedriveContract):
    """On a ``world`` in memory."""


class TestMemoryReplay(ReplayContract):
    """On a ``world`` in memory."""


class TestMemoryPersonalData(PersonalDataContract):
    """On a ``world`` in memory."""


class TestMemoryWebhooks(WebhooksContract):
    """On a ``world`` in memory."""
