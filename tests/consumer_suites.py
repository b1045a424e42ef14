"""The suites of the consumers' data as test classes, for each module that imports them and has a fixture ``world``."""

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
    RetentionContract,
    StockStoreContract,
    WebhookEndpointsContract,
    WebhookRetriesContract,
    WebhooksContract,
)


class TestAnalytics(AnalyticsContract):
    """On the ``world`` of the importing module."""


class TestRebuildAnalytics(RebuildAnalyticsContract):
    """On the ``world`` of the importing module."""


class TestConsumerTransaction(ConsumerTransactionContract):
    """On the ``world`` of the importing module."""


class TestDeadLetterStore(DeadLetterStoreContract):
    """On the ``world`` of the importing module."""


class TestHandleBatch(HandleBatchContract):
    """On the ``world`` of the importing module."""


class TestInventory(InventoryContract):
    """On the ``world`` of the importing module."""


class TestStockStore(StockStoreContract):
    """On the ``world`` of the importing module."""


class TestNotifications(NotificationsContract):
    """On the ``world`` of the importing module."""


class TestNotificationStore(NotificationStoreContract):
    """On the ``world`` of the importing module."""


class TestRedrive(RedriveContract):
    """On the ``world`` of the importing module."""


class TestReplay(ReplayContract):
    """On the ``world`` of the importing module."""


class TestPersonalData(PersonalDataContract):
    """On the ``world`` of the importing module."""


class TestRetention(RetentionContract):
    """On the ``world`` of the importing module."""


class TestWebhookEndpoints(WebhookEndpointsContract):
    """On the ``world`` of the importing module."""


class TestWebhooks(WebhooksContract):
    """On the ``world`` of the importing module."""


class TestWebhookRetries(WebhookRetriesContract):
    """On the ``world`` of the importing module."""
