"""Commits of write sets."""

from collections.abc import Callable, Sequence

from attrs import frozen

from ....application.event_log.records import EVENT_LIMIT
from ....application.orders.write_set import WriteSet
from ....domain.errors import ConcurrentChange, Conflict
from ...order_terms import WITHOUT_REGION, OrderTerms
from ..database import POSTGRESQL, Database
from ..errors import TransactionConflict
from . import write_postgresql, write_sqlite
from .batch import WriteBatch


@frozen
class SqlCommitter:
    """Commits write sets in one transaction. Orders that did not change are not written or checked."""

    database: Database
    on_commit: Callable[[], None]
    event_limit: int = EVENT_LIMIT
    terms: OrderTerms = WITHOUT_REGION

    async def commit_together(self, sets: Sequence[WriteSet]) -> list[Conflict | None]:
        batch = WriteBatch.of(sets, self.database.known_buckets(), event_limit=self.event_limit, terms=self.terms)
        if not batch:
            return [None] * len(sets)
        write = write_postgresql.write if self.database.backend == POSTGRESQL else write_sqlite.write
        try:
            conflicts = await write(self.database, batch)
        except TransactionConflict as error:
            return [_concurrent_change(writes, error) for writes in sets]
        if conflicts:
            return [conflicts.refusal(writes) for writes in sets]
        if batch.events:
            self.on_commit()
        return [None] * len(sets)


def _concurrent_change(writes: WriteSet, error: TransactionConflict) -> Conflict:
    """Return the refusal of a set that lost against other transactions. Raises ``error`` if it has no order."""
    for order_id, version in writes.expected.items():
        return ConcurrentChange(order_id, version)
    raise error
