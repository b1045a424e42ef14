"""What the consumers keep, in the database of the orders."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from attrs import frozen
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ...domain.errors import StaleCursor, StorageUnavailable
from .bulk import among, put
from .database import Database
from .effects_books import SqlAnalyticsBook, SqlDeadLetterBook, SqlNotificationBook, SqlReservationBook
from .effects_views import SqlContacts, SqlDeadLetters, SqlNotifications, SqlShortages, SqlStock
from .failures import lost_race
from .figures import SqlAnalyticsViews
from .storage import SqlStorage
from .tables import cursors


@frozen
class SqlEffects:
    """Everything that the consumers of one installation keep."""

    storage: SqlStorage

    @property
    def database(self) -> Database:
        return self.storage.database

    @asynccontextmanager
    async def store(self, consumer: str) -> AsyncIterator["SqlConsumerWork"]:
        """A transaction of ``consumer``. Raises StorageUnavailable, also when the database broke a deadlock by it."""
        try:
            async with self.database.writing() as connection:
                yield SqlConsumerWork(connection, consumer)
        except DBAPIError as error:
            if lost_race(error):
                raise StorageUnavailable(self.database.backend, "another transaction was in the way") from error
            raise

    @property
    def contacts(self) -> SqlContacts:
        return SqlContacts(self.database)

    @property
    def notifications(self) -> SqlNotifications:
        return SqlNotifications(self.database)

    @property
    def analytics(self) -> SqlAnalyticsViews:
        return SqlAnalyticsViews(self.database)

    @property
    def stock(self) -> SqlStock:
        return SqlStock(self.database)

    @property
    def shortages(self) -> SqlShortages:
        return SqlShortages(self.database)

    @property
    def dead_letters(self) -> SqlDeadLetters:
        return SqlDeadLetters(self.database)


class SqlConsumerWork:
    """One transaction in progress."""

    def __init__(self, connection: AsyncConnection, consumer: str) -> None:
        self._connection = connection
        self._consumer = consumer
        self.notifications = SqlNotificationBook(connection)
        self.analytics = SqlAnalyticsBook(connection)
        self.reservations = SqlReservationBook(connection)
        self.dead_letters = SqlDeadLetterBook(connection, consumer)

    async def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        at = await self._locked(sorted(moves))
        if new := sorted(moves.keys() - at.keys()):
            # Two that both found no row: the second waits here for the first, and then finds what that one wrote.
            await put(self._connection, cursors, [self._row(bucket, 0) for bucket in new], replace=False)
            at = await self._locked(sorted(moves))
        for bucket, (expected, _) in moves.items():
            if at[bucket] != expected:
                raise StaleCursor(self._consumer, bucket, expected)
        await put(self._connection, cursors, [self._row(bucket, to) for bucket, (_, to) in moves.items()])

    async def _locked(self, buckets: list[int]) -> dict[int, int]:
        """The cursors, locked in one order everywhere, so that no two transactions wait for each other."""
        found = await self._connection.execute(
            select(cursors.c.bucket, cursors.c.position)
            .where(cursors.c.reader == self._consumer, among(self._connection, cursors.c.bucket, buckets))
            .order_by(cursors.c.bucket)
            .with_for_update()
        )
        return {row.bucket: row.position for row in found}

    def _row(self, bucket: int, position: int) -> dict[str, object]:
        return {"reader": self._consumer, "bucket": bucket, "position": position, "updated_at": datetime.now(UTC)}
