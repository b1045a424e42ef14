"""Other ways to number a log and to read it on PostgreSQL, put in the place of the shipped ones for one race."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from attrs import define, field
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.commit import write_postgresql
from orderflow.adapters.sql.commit.batch import EVENT, NEW_EVENT
from orderflow.adapters.sql.commit.write_postgresql import _TAKEN, _Arrays, _list, statement
from sqlalchemy import text

from .race import BUCKETS, Read

NAIVE = "rival_positions"


@contextmanager
def _appending(log: object) -> Iterator[None]:
    """The shipped statement with other steps for the log."""
    with patch.object(write_postgresql, "_log", log):
        statement.cache_clear()
        try:
            yield
        finally:
            statement.cache_clear()


@contextmanager
def naive_sequence() -> Iterator[None]:
    """Positions of one sequence for all, which no transaction holds until the commit."""

    def log(taken: _Arrays, news: _Arrays) -> list[str]:
        return [
            f"given AS (SELECT FROM unnest({taken}))",
            f"""appended AS (
                INSERT INTO order_events (bucket, position, {_list(EVENT)})
                SELECT bucket, nextval('{NAIVE}'), {_list(f"news.{name}" for name in EVENT)}
                FROM unnest({news}) AS news({_list(NEW_EVENT)}) WHERE (SELECT good FROM gate))""",
        ]

    with _appending(log):
        yield


@contextmanager
def drawn_before_the_lock() -> Iterator[None]:
    """Positions of a sequence a bucket, and the bucket is locked once they are drawn, a moment later."""

    def log(taken: _Arrays, news: _Arrays) -> list[str]:
        return [
            f"""drawn AS MATERIALIZED (
                SELECT nextval('{NAIVE}_' || news.bucket) AS drawn, news.*
                FROM unnest({news}) AS news({_list(NEW_EVENT)}) WHERE (SELECT good FROM gate))""",
            """paused AS MATERIALIZED (
                SELECT pg_sleep(random() * 0.02) FROM (SELECT count(*) FROM drawn) AS all_drawn)""",
            f"""locked AS MATERIALIZED (
                SELECT bucket FROM log_heads
                WHERE bucket IN (SELECT bucket FROM unnest({taken}) AS taken({_list(_TAKEN)}))
                AND (SELECT count(*) FROM paused) > 0 ORDER BY bucket FOR UPDATE)""",
            """moved AS (
                UPDATE log_heads SET position = greatest(position, newest)
                FROM (SELECT bucket, max(drawn) AS newest FROM drawn JOIN locked USING (bucket) GROUP BY bucket) AS n
                WHERE log_heads.bucket = n.bucket)""",
            f"""appended AS (
                INSERT INTO order_events (bucket, position, {_list(EVENT)})
                SELECT bucket, drawn, {_list(f"drawn.{name}" for name in EVENT)}
                FROM drawn JOIN locked USING (bucket))""",
        ]

    with _appending(log):
        yield


async def sequences(storage: SqlStorage) -> None:
    """Those that the rivals draw from."""
    async with storage.database.writing() as connection:
        for name in (NAIVE, *(f"{NAIVE}_{bucket}" for bucket in BUCKETS)):
            await connection.execute(text(f"CREATE SEQUENCE {name}"))


@define
class ByOneCursor:
    """Reads what is numbered higher than the last one it met."""

    storage: SqlStorage
    seen: list[Read] = field(factory=list)
    at: int = 0

    async def step(self) -> int:
        asked = text("SELECT bucket, position, order_id, sequence FROM order_events WHERE position > :at ORDER BY 2")
        async with self.storage.database.reading() as connection:
            found = [Read(*row) for row in await connection.execute(asked, {"at": self.at})]
        self.seen += found
        self.at = found[-1].position if found else self.at
        return len(found)


@define
class ByTransactionId:
    """Reads in the order of transaction ids, as far as no older transaction is still running."""

    storage: SqlStorage
    seen: list[Read] = field(factory=list)
    at: tuple[int, int, int] = (0, 0, 0)

    async def step(self) -> int:
        asked = text(
            "SELECT bucket, position, order_id, sequence, xmin::text::bigint AS id FROM order_events "
            "WHERE (xmin::text::bigint, bucket, position) > (:id, :bucket, :position) "
            "AND xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY 5, 1, 2"
        )
        asked_for = dict(zip(("id", "bucket", "position"), self.at, strict=True))
        async with self.storage.database.reading() as connection:
            found = list(await connection.execute(asked, asked_for))
        self.seen += [Read(*row[:4]) for row in found]
        if found:
            self.at = found[-1].id, found[-1].bucket, found[-1].position
        return len(found)
