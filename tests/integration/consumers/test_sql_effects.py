"""SQLite and PostgreSQL pass the contracts of the consumers' data."""

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


class TestSqlAnalytics(AnalyticsContract):
    """On the ``world`` of each database."""


class TestSqlRebuildAnalytics(RebuildAnalyticsContract):
    """On the ``world`` of each database."""


class TestSqlConsumerTransaction(ConsumerTransactionContract):
    """On the ``world`` of each database."""


class TestSqlDeadLetterStore(DeadLetterStoreContract):
    """On the ``world`` of each database."""


class TestSqlHandleBatch(HandleBatchContract):
    """On the ``world`` of each database."""


class TestSqlInventory(InventoryContract):
    """On the ``world`` of each database."""


class TestSqlStockStore(StockStoreContract):
    """On the ``world`` of each database."""


class TestSqlNotifications(NotificationsContract):
    """On the ``world`` of each database."""


class TestSqlNotificationStore(NotificationStoreContract):
    """On the ``world`` of each database."""


class TestSqlRedrive(RedriveContract):
    """On the ``world`` of each database."""


class TestSqlReplay(ReplayContract):
    """On the ``world`` of each database."""


class TestSqlPersonalData(PersonalDataContract):
    """On the ``world`` of each database."""


class TestSqlWebhooks(WebhooksContract):
    """On the ``world`` of each database."""
