"""The one place where write sets become durable."""

from collections.abc import Callable, Sequence

from attrs import frozen

from ....application.event_log.records import EVENT_LIMIT
from ....application.orders.write_set import WriteSet
from ....domain.errors import ConcurrentChange, Conflict, StorageUnavailable
from ..database import POSTGRESQL, Database
from ..errors import lost_race
from . import write_postgresql, write_sqlite
from .batch import WriteBatch


@frozen
class SqlCommitter:
    """One transaction a write set. Saved orders that did not change are neither written nor looked at again."""

    database: Database
    on_commit: Callable[[], None]
    event_limit: int = EVENT_LIMIT

    async def commit(self, writes: WriteSet) -> None:
        refusals = await self.commit_together([writes])
        if (refusal := refusals[0]) is not None:
            raise refusal

    async def commit_together(self, sets: Sequence[WriteSet]) -> list[Conflict | None]:
        """All sets in one transaction, or none where one is refused; for each why it was, None where it was not.

        The sets touch each order and each idempotency key once. Whoever puts several together commits those that
        were not refused again without the others. Raises StorageUnavailable; EventTooLarge for an event of any.
        """
        batch = WriteBatch.of(sets, self.database.known_buckets(), event_limit=self.event_limit)
        if not batch:
            return [None] * len(sets)
        write = write_postgresql.write if self.database.backend == POSTGRESQL else write_sqlite.write
        try:
            losers = await write(self.database, batch)
        except Exception as error:
            if lost_race(error):
                return [_raced(writes, error) for writes in sets]
            raise
        if losers:
            return [losers.refusal(writes) for writes in sets]
        if batch.events:
            self.on_commit()
        return [None] * len(sets)


def _raced(writes: WriteSet, error: Exception) -> Conflict:
    """PostgreSQL let somebody else's transaction go through instead. Raises StorageUnavailable without an order."""
    for order_id in [*writes.expected, *(attempt.order_id for attempt in writes.attempts.values())]:
        return ConcurrentChange(order_id, writes.expected.get(order_id, 0))
    raise StorageUnavailable(POSTGRESQL, f"the transaction lost a race: {error}") from error
