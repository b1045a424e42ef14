"""SQLite and PostgreSQL pass the contracts of the consumers' data."""

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
