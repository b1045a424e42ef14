"""The storage of one installation on one PostgreSQL or SQLite database."""

from collections.abc import Callable
from datetime import datetime
from typing import Self

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ...application.event_log.records import EVENT_LIMIT
from ...application.noop import noop
from ..order_terms import OrderTerms
from . import schema
from .commit.committer import SqlCommitter
from .cursors import SqlCursors
from .database import Database
from .epochs import SqlEpochs
from .event_log import SqlEventLog, log_heads
from .idempotency import SqlIdempotencyStore
from .maintenance_log import SqlMaintenanceLog
from .order_queries import SqlOrderAudit, SqlOrderQueries
from .payment_attempts import SqlPaymentAttempts
from .prices import SqlPriceLists
from .processes import SqlProcessRegistry
from .rollout import SqlRollout
from .sessions import SqlSessions
from .skipped_records import SqlSkippedRecords
from .streams import SqlStreamTickets
from .tokens import SqlTokens

POOL_SIZE = 16


class SqlStorage:
    """Created by :meth:`at`. Open it before use, close it after. Calls ``on_commit`` after commits with events."""

    def __init__(self, database: Database, committer: SqlCommitter) -> None:
        self.database = database
        self.committer = committer
        self.views = SqlOrderQueries(database, committer.terms)
        self.audit = SqlOrderAudit(database)
        self.log = SqlEventLog(database)
        self.cursors = SqlCursors(database)
        self.answers = SqlIdempotencyStore(database)
        self.attempts = SqlPaymentAttempts(database)
        self.tokens = SqlTokens(database)
        self.sessions = SqlSessions(database)
        self.stream_tickets = SqlStreamTickets(database)
        self.maintenance_log = SqlMaintenanceLog(database)
        self.rollout = SqlRollout(database)
        self.epochs = SqlEpochs(database)
        self.skipped_records = SqlSkippedRecords(database)
        self.processes = SqlProcessRegistry(database)
        self.prices = SqlPriceLists(database)

    @classmethod
    def at(
        cls,
        url: str,
        *,
        pool_size: int = POOL_SIZE,
        pooled: bool = False,
        on_commit: Callable[[], None] = noop,
        event_limit: int = EVENT_LIMIT,
        phone_region: str = "",
    ) -> Self:
        """Create the storage at ``postgresql://...`` or ``sqlite:///file`` without I/O.

        ``pool_size`` is the maximum number of connections; ``pooled``: they lead to a pooler in transaction mode.
        Events have at most ``event_limit`` bytes. ``phone_region`` is the country of telephone numbers without a code.
        Raises InvalidInput, NotConfigured.
        """
        database = Database.at(url, pool_size=pool_size, pooled=pooled)
        return cls(database, SqlCommitter(database, on_commit, event_limit, OrderTerms(phone_region)))

    @property
    def engine(self) -> AsyncEngine:
        return self.database.engine

    @property
    def buckets(self) -> int:
        """The number of buckets of the log. Raises NotConfigured before the storage is open."""
        return self.database.known_buckets()

    async def open(self) -> None:
        """Check the schema and read the number of buckets. Raises NotConfigured, StorageUnavailable."""
        await schema.check(self.database)
        async with self.database.reading() as connection:
            self.database.buckets = await connection.scalar(select(func.count()).select_from(log_heads)) or 0

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    async def now(self) -> datetime:
        """Return the time of the database, which on SQLite is this machine's. Raises StorageUnavailable."""
        return await self.database.now()

    async def ping(self) -> None:
        """Raise StorageUnavailable if the database does not answer, or accepts no writes."""
        await self.database.check_writable()
