"""Column types and the metadata of all tables. The migrations create the tables; a test compares them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec.json import encode
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    Index,
    Integer,
    MetaData,
    Numeric,
    Text,
    TextClause,
    TypeDecorator,
    or_,
)
from sqlalchemy.types import TypeEngine

from ..wire.fields import plain_value

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s",
    }
)


_WITH_MICROSECONDS = len("2026-11-29T12:00:00.000001")
Row = tuple[str | int | bytes | None, ...]
"""The values of a row in their stored form, as either driver is given them: times, amounts and JSON are texts."""


def partial_index(name: str | None, *columns: Column[Any], where: TextClause) -> Index:
    """Declare an index of the rows that fulfil ``where``, on either database; the migrations create it.

    PostgreSQL's condition is not repeated here: SQLAlchemy would import that dialect for it, and a command on SQLite
    would take a tenth longer.
    """
    return Index(name, *columns, sqlite_where=where)


def stored_time(at: datetime) -> str:
    """Return ``at`` in UTC as text of fixed width, which sorts correctly and which PostgreSQL reads, too."""
    moment = at if at.tzinfo is UTC else at.astimezone(UTC)
    text = encode(moment, enc_hook=plain_value)[1:-2].decode()  # half the time of isoformat
    return f"{text}+00:00" if len(text) == _WITH_MICROSECONDS else f"{text}.000000+00:00"


def read_time(at: datetime) -> datetime:
    """Return a time that asyncpg has read, in UTC. The first and the last of all times it reads without their zone."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class Timestamp(TypeDecorator[datetime]):
    """A time with zone, read back in UTC; on SQLite text of fixed width, which sorts correctly."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Text() if dialect.name == "sqlite" else self.impl_instance
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        if value is None or dialect.name != "sqlite":
            return value
        return stored_time(value)

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value if value is None else read_time(value)


class DecimalAmount(TypeDecorator[Decimal]):
    """An exact decimal that keeps its digits (25.50 stays 25.50); on SQLite text, never a float."""

    impl = Numeric(asdecimal=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Text() if dialect.name == "sqlite" else self.impl_instance
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        return value if value is None or dialect.name != "sqlite" else format(value, "f")

    def process_result_value(self, value: Decimal | str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


def due(at: ColumnElement[datetime], now: datetime, until: datetime) -> ColumnElement[bool]:
    """Build the condition that ``at`` is due at ``now``; no claim and no pause that begins now ends after ``until``.

    What seems to be due after twice that time was stored by a wrong clock, and is due.
    """
    return or_(at <= now, at > until + (until - now))


Identifier = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte, so that lists sort the same in every database and locale."""


Counter = BigInteger().with_variant(Integer(), "sqlite")
