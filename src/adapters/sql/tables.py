"""The core's tables. The migrations make them; a test compares the two."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    TIMESTAMP,
    BigInteger,
    Column,
    Dialect,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware time, read back in UTC; on SQLite text of fixed width, so that it sorts as it is."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Text() if dialect.name == "sqlite" else self.impl_instance
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value.astimezone(UTC) if value is not None else None


class Amount(TypeDecorator[Decimal]):
    """An exact decimal with the digits that it came with (25.50 stays 25.50); on SQLite its text, never a float."""

    impl = Numeric(asdecimal=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Text() if dialect.name == "sqlite" else self.impl_instance
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        return value if value is None or dialect.name != "sqlite" else format(value, "f")

    def process_result_value(self, value: Decimal | str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


Identifier = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte everywhere, so that lists sort the same in every database and locale."""
Counter = BigInteger().with_variant(Integer(), "sqlite")

orders = Table(
    "orders",
    metadata,
    Column("id", Identifier, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("customer_id", Identifier, nullable=False),
    Column("restaurant_id", Identifier, nullable=False),
    Column("shipper_id", Identifier),
    Column("lines", JSON, nullable=False),
    Column("delivery_fee", Amount, nullable=False),
    Column("currency", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("payment_status", Text, nullable=False),
    Column("card_token", Text),
    Column("address", JSON(none_as_null=True)),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("estimated_at", Moment),
    Column("delivered_at", Moment),
    Column("delivery_minutes", Integer),
    Column("cancel_reason", Text),
    Column("cancelled_by", Text),
    PrimaryKeyConstraint("id"),
)
Index(None, orders.c.created_at, orders.c.id)
Index(None, orders.c.customer_id, orders.c.created_at, orders.c.id)
Index(None, orders.c.restaurant_id, orders.c.created_at, orders.c.id)
Index(None, orders.c.state, orders.c.created_at, orders.c.id)
Index(
    None,
    orders.c.shipper_id,
    orders.c.created_at,
    orders.c.id,
    postgresql_where=text("shipper_id IS NOT NULL"),
    sqlite_where=text("shipper_id IS NOT NULL"),
)

order_events = Table(
    "order_events",
    metadata,
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("occurred_at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("traceparent", Text, nullable=False),
    # Not part of what is read on: when a door heard of it, and when it was appended, just before the commit.
    Column("asked_at", Moment),
    Column("committed_at", Moment),
    PrimaryKeyConstraint("bucket", "position"),
    UniqueConstraint("order_id", "sequence"),
)

log_heads = Table(
    "log_heads",
    metadata,
    Column("bucket", SmallInteger, nullable=False, autoincrement=False),
    Column("position", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("bucket"),
    # Every commit rewrites a row of these: room in the page lets PostgreSQL do it without touching the index.
    postgresql_with={"fillfactor": 20},
)
"""A counter row per bucket, all made with the database: their number is the number of buckets."""

cursors = Table(
    "cursors",
    metadata,
    Column("reader", Text, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("updated_at", Moment, nullable=False),
    PrimaryKeyConstraint("reader", "bucket"),
    postgresql_with={"fillfactor": 50},
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    PrimaryKeyConstraint("caller", "key"),
)
Index(None, idempotency_keys.c.created_at)

payment_attempts = Table(
    "payment_attempts",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("key", Text, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount", Amount, nullable=False),
    Column("currency", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("status", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("settled_at", Moment),
    PrimaryKeyConstraint("entry"),
    UniqueConstraint("key"),
)
Index(None, payment_attempts.c.order_id)
UNSETTLED = text("kind = 'refund' AND status = 'asked'")
Index("payment_attempts_unsettled", payment_attempts.c.asked_at, postgresql_where=UNSETTLED, sqlite_where=UNSETTLED)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    PrimaryKeyConstraint("digest"),
)
