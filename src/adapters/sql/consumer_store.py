"""The consumers' data in the database of the orders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen

from .analytics import SqlAnalyticsQueries
from .analytics_rebuild import SqlAnalyticsShadow
from .consumer_transaction import SqlConsumerTransaction
from .database import Database
from .dead_letter_queries import SqlDeadLetters
from .inventory import SqlShortages, SqlStock
from .notifications import SqlContacts, SqlNotifications
from .storage import SqlStorage
from .webhook_queries import SqlWebhooks


@frozen
class SqlConsumerStores:
    """The data of all consumers of one installation."""

    storage: SqlStorage

    @property
    def database(self) -> Database:
        return self.storage.database

    @property
    def analytics_shadow(self) -> SqlAnalyticsShadow:
        return SqlAnalyticsShadow(self.database)

    @asynccontextmanager
    async def store(self, consumer: str) -> AsyncIterator[SqlConsumerTransaction]:
        """Begin a transaction of ``consumer``. Raises StorageUnavailable, also if it is the victim of a deadlock."""
        async with self.database.writing() as connection:
            yield SqlConsumerTransaction(connection, consumer)

    @property
    def contacts(self) -> SqlContacts:
        return SqlContacts(self.database)

    @property
    def notifications(self) -> SqlNotifications:
        return SqlNotifications(self.database)

    @property
    def analytics(self) -> SqlAnalyticsQueries:
        return SqlAnalyticsQueries(self.database)

    @property
    def stock(self) -> SqlStock:
        return SqlStock(self.database)

    @property
    def shortages(self) -> SqlShortages:
        return SqlShortages(self.database)

    @property
    def webhooks(self) -> SqlWebhooks:
        return SqlWebhooks(self.database)

    @property
    def dead_letters(self) -> SqlDeadLetters:
        return SqlDeadLetters(self.database)
