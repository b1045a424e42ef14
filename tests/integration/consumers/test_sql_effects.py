"""SQLite and PostgreSQL keep consumers' effects as promised."""

from tests.contracts.analytics import AnalyticsContract
from tests.contracts.consumer_store import ConsumerStoreContract
from tests.contracts.handling import HandlingContract
from tests.contracts.inventory import InventoryContract
from tests.contracts.notifications import NotificationsContract
from tests.contracts.rebuilding import RebuildingContract
from tests.contracts.replaying import ReplayingContract


class TestSqlEffects(ConsumerStoreContract):
    """On the ``world`` of each database."""


class TestHandlingInSql(HandlingContract):
    """On the ``world`` of each database."""


class TestNotificationsInSql(NotificationsContract):
    """On the ``world`` of each database."""


class TestInventoryInSql(InventoryContract):
    """On the ``world`` of each database."""


class TestAnalyticsInSql(AnalyticsContract):
    """On the ``world`` of each database."""


class TestReplayingInSql(ReplayingContract):
    """On the ``world`` of each database."""


class TestRebuildingInSql(RebuildingContract):
    """On the ``world`` of each database."""
