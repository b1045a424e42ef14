"""Courses that are built beside those in use, in a table of their own, and take their place in one transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen
from sqlalchemy import and_, delete, exists, func, select
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.replay.rebuilding import SwapResult
from ...domain.errors import RebuildOvertaken
from .analytics import SqlAnalyticsStore, order_progress, order_progress_shadow, rebuilds
from .bulk import put
from .consumer_transaction import SqlConsumerTransaction
from .database import Database

ANALYTICS = "analytics"
AT_ONCE = 50_000
"""Courses that one statement of a swap compares, so that none takes long, however many there are."""


@frozen
class SqlAnalyticsShadow:
    _database: Database

    async def begin(self, run: str) -> None:
        async with self._database.writing() as connection:
            # Whoever writes beside for an earlier run is waited for, and finds out when it comes again.
            await put(connection, rebuilds, [{"consumer": ANALYTICS, "run": run}])
            await connection.execute(delete(order_progress_shadow))

    @asynccontextmanager
    async def store(self, run: str) -> AsyncIterator["SqlRebuildTransaction"]:
        async with self._database.writing() as connection:
            mine = select(rebuilds.c.run).where(rebuilds.c.consumer == ANALYTICS).with_for_update()
            if await connection.scalar(mine) != run:
                raise RebuildOvertaken(ANALYTICS)
            yield SqlRebuildTransaction(connection)


class SqlRebuildTransaction(SqlConsumerTransaction):
    """One transaction in progress."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection, ANALYTICS)
        self.analytics = SqlAnalyticsStore(connection, order_progress_shadow)

    async def swap(self) -> SwapResult:
        """Rows that are the same already are not touched."""
        changed = removed = 0
        after: str | None = ""
        while after is not None:
            upto = await self._upto(after)
            removed += await self._remove(after, upto)
            changed += await self._replace(after, upto) if upto is not None else 0
            after = upto
        courses = await self._connection.scalar(select(func.count()).select_from(order_progress_shadow)) or 0
        await self._connection.execute(delete(order_progress_shadow))
        return SwapResult(courses=courses, changed=changed, removed=removed)

    async def _upto(self, after: str) -> str | None:
        """The last order of the next page beside; None when there is no further one."""
        it = order_progress_shadow.c.order_id
        page = select(it).where(it > after).order_by(it).limit(AT_ONCE).subquery()
        found: str | None = await self._connection.scalar(select(func.max(page.c.order_id)))
        return found

    async def _remove(self, after: str, upto: str | None) -> int:
        """Those in use that are not beside."""
        it, beside = order_progress.c.order_id, order_progress_shadow.c.order_id
        here = it > after if upto is None else and_(it > after, it <= upto)
        gone = delete(order_progress).where(here, ~exists().where(beside == it))
        return (await self._connection.execute(gone)).rowcount

    async def _replace(self, after: str, upto: str) -> int:
        beside = order_progress_shadow.c
        # Found by its key, or each would be compared with every other.
        rest = (order_progress.c[it.name].is_not_distinct_from(it) for it in beside if not it.primary_key)
        same = and_(order_progress.c.order_id == beside.order_id, *rest)
        news = select(*beside).where(beside.order_id > after, beside.order_id <= upto, ~exists().where(same))
        kind = SqliteInsert if self._connection.dialect.name == "sqlite" else PostgresInsert
        into = kind(order_progress).from_select([it.name for it in beside], news)
        kept = {it.name: into.excluded[it.name] for it in beside if not it.primary_key}
        replacing = into.on_conflict_do_update(index_elements=["order_id"], set_=kept)
        return (await self._connection.execute(replacing)).rowcount
