"""The consumers' data in the database of the orders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .analytics import SqlAnalyticsQueries
from .analytics_rebuild import SqlAnalyticsShadow
from .consumer_transaction import SqlConsumerTransaction
from .dead_letter_queries import SqlDeadLetters
from .inventory import SqlShortages, SqlStock
from .notifications import SqlContacts, SqlNotifications
from .storage import SqlStorage
from .webhook_queries import SqlWebhooks


class SqlConsumerStores:
    """The data of all consumers of one installation."""

    def __init__(self, storage: SqlStorage) -> None:
        self.database = database = storage.database
        self.analytics_shadow = SqlAnalyticsShadow(database)
        self.contacts = SqlContacts(database)
        self.notifications = SqlNotifications(database)
        self.analytics = SqlAnalyticsQueries(database)
        self.stock = SqlStock(database)
        self.shortages = SqlShortages(database)
        self.webhooks = SqlWebhooks(database)
        self.dead_letters = SqlDeadLetters(database)

    @asynccontextmanager
    async def store(self, consumer: str) -> AsyncIterator[SqlConsumerTransaction]:
        """Begin a transaction of ``consumer``. Raises StorageUnavailable, also if it is the victim of a deadlock."""
        async with self.database.writing() as connection:
            yield SqlConsumerTransaction(connection, consumer)
