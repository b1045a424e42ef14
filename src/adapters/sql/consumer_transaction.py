"""One transaction of a consumer: its stores and its cursors on one connection."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.event_log.records import Positions
from ...domain.errors import StaleCursor
from .analytics import SqlAnalyticsStore
from .bulk import among, put
from .cursors import cursors
from .dead_letters import SqlDeadLetterStore
from .inventory import SqlReservationStore
from .notifications import SqlNotificationStore
from .webhooks import SqlWebhookStore


class SqlConsumerTransaction:
    """One transaction in progress."""

    def __init__(self, connection: AsyncConnection, consumer: str) -> None:
        self._connection = connection
        self._consumer = consumer
        self.notifications = SqlNotificationStore(connection)
        self.analytics = SqlAnalyticsStore(connection)
        self.reservations = SqlReservationStore(connection)
        self.webhooks = SqlWebhookStore(connection)
        self.dead_letters = SqlDeadLetterStore(connection, consumer)

    async def hold(self, buckets: Collection[int]) -> Positions:
        at = await self._locked(sorted(buckets))
        if new := sorted(set(buckets) - at.keys()):
            # If two transactions found no row, the second waits here for the first and then reads its row.
            await put(self._connection, cursors, [self._row(bucket, 0) for bucket in new], replace=False)
            at = await self._locked(sorted(buckets))
        return at

    async def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        at = await self.hold(moves)
        for bucket, (expected, _) in moves.items():
            if at[bucket] != expected:
                raise StaleCursor(self._consumer, bucket, expected)
        await put(self._connection, cursors, [self._row(bucket, to) for bucket, (_, to) in moves.items()])

    async def _locked(self, buckets: list[int]) -> dict[int, int]:
        """Lock and return the cursors, always in the same order, which prevents deadlocks."""
        found = await self._connection.execute(
            select(cursors.c.bucket, cursors.c.position)
            .where(cursors.c.reader == self._consumer, among(self._connection, cursors.c.bucket, buckets))
            .order_by(cursors.c.bucket)
            .with_for_update()
        )
        return {row.bucket: row.position for row in found}

    def _row(self, bucket: int, position: int) -> dict[str, object]:
        return {"reader": self._consumer, "bucket": bucket, "position": position, "updated_at": datetime.now(UTC)}
