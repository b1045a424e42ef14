"""The memory adapter passes the contracts of the consumers' data."""

import pytest

from tests.contracts.analytics import AnalyticsContract
from tests.contracts.analytics_rebuild import RebuildAnalyticsContract
from tests.contracts.consumer_transaction import ConsumerTransactionContract
from tests.contracts.customers import PersonalDataContract
from tests.contracts.dead_letters import DeadLetterStoreContract
from tests.contracts.handle_batch import HandleBatchContract
from tests.contracts.inventory import InventoryContract, StockStoreContract
from tests.contracts.notifications import NotificationsContract, NotificationStoreContract
from tests.contracts.redrive import RedriveContract
from tests.contracts.replay import ReplayContract
from tests.contracts.webhooks import WebhooksContract
from tests.support.effects import World, memory_world


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
