"""The rebuild of analytics in a shadow table, which replaces the data in use in one transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen
from sqlalchemy import and_, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.replay.rebuilding import SwapResult
from ...domain.errors import RebuildOvertaken
from .analytics import SqlAnalyticsStore, order_progress, order_progress_shadow, rebuilds
from .bulk import insert_into, put
from .consumer_transaction import SqlConsumerTransaction
from .database import Database

ANALYTICS = "analytics"
PAGE = 50_000
"""Orders that one statement of a swap compares, which bounds its duration."""


@frozen
class SqlAnalyticsShadow:
    _database: Database

    async def begin(self, run: str) -> None:
        async with self._database.writing() as connection:
            # Waits for a transaction of an earlier run, whose next one raises RebuildOvertaken.
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
        """Replace the data in use by the shadow table's. Equal rows are not touched."""
        changed = removed = 0
        after: str | None = ""
        while after is not None:
            upto = await self._upto(after)
            removed += await self._remove(after, upto)
            changed += await self._replace(after, upto) if upto is not None else 0
            after = upto
        orders = await self._connection.scalar(select(func.count()).select_from(order_progress_shadow)) or 0
        await self._connection.execute(delete(order_progress_shadow))
        return SwapResult(orders=orders, changed=changed, removed=removed)

    async def _upto(self, after: str) -> str | None:
        """Return the last order of the shadow table's next page, None after the last page."""
        it = order_progress_shadow.c.order_id
        page = select(it).where(it > after).order_by(it).limit(PAGE).subquery()
        found: str | None = await self._connection.scalar(select(func.max(page.c.order_id)))
        return found

    async def _remove(self, after: str, upto: str | None) -> int:
        """Delete the rows in use that are not in the shadow table."""
        it, shadow = order_progress.c.order_id, order_progress_shadow.c.order_id
        here = it > after if upto is None else and_(it > after, it <= upto)
        gone = delete(order_progress).where(here, ~exists().where(shadow == it))
        return (await self._connection.execute(gone)).rowcount

    async def _replace(self, after: str, upto: str) -> int:
        shadow = order_progress_shadow.c
        # The key lets the database find the row to compare.
        rest = (order_progress.c[it.name].is_not_distinct_from(it) for it in shadow if not it.primary_key)
        same = and_(order_progress.c.order_id == shadow.order_id, *rest)
        new = select(*shadow).where(shadow.order_id > after, shadow.order_id <= upto, ~exists().where(same))
        into = insert_into(self._connection, order_progress).from_select([it.name for it in shadow], new)
        kept = {it.name: into.excluded[it.name] for it in shadow if not it.primary_key}
        replacing = into.on_conflict_do_update(index_elements=["order_id"], set_=kept)
        return (await self._connection.execute(replacing)).rowcount
