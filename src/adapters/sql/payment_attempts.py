"""Payment attempts as rows. The committer writes them."""

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import (
    Column,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    RowMapping,
    Select,
    Table,
    Text,
    UniqueConstraint,
    select,
    text,
)

from ...application.orders.payment_attempts import AttemptKind, AttemptStatus, PaymentAttempt
from ...domain.money import Money
from .database import Database
from .types import Counter, DecimalAmount, Identifier, Timestamp, metadata

payment_attempts = Table(
    "payment_attempts",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("key", Text, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount", DecimalAmount, nullable=False),
    Column("currency", Text, nullable=False),
    Column("requested_at", Timestamp, nullable=False),
    Column("status", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("settled_at", Timestamp),
    PrimaryKeyConstraint("entry"),
    UniqueConstraint("key"),
)
Index(None, payment_attempts.c.order_id)


UNSETTLED = text("kind = 'refund' AND status = 'requested'")
Index("payment_attempts_unsettled", payment_attempts.c.requested_at, postgresql_where=UNSETTLED, sqlite_where=UNSETTLED)


_IN_ORDER = (payment_attempts.c.requested_at, payment_attempts.c.entry)


@frozen
class SqlPaymentAttempts:
    database: Database

    async def of_order(self, order_id: str) -> Sequence[PaymentAttempt]:
        return await self._find(
            select(payment_attempts).where(payment_attempts.c.order_id == order_id).order_by(*_IN_ORDER)
        )

    async def unsettled_refunds(self, limit: int = 100) -> Sequence[PaymentAttempt]:
        return await self._find(select(payment_attempts).where(UNSETTLED).order_by(*_IN_ORDER).limit(limit))

    async def _find(self, query: Select[Any]) -> Sequence[PaymentAttempt]:
        return [_attempt(row._mapping) for row in await self.database.rows(query)]


def row_of(attempt: PaymentAttempt) -> dict[str, Any]:
    """Return the values of the ``payment_attempts`` row by column."""
    return {
        "key": attempt.key,
        "order_id": attempt.order_id,
        "number": attempt.number,
        "kind": attempt.kind.value,
        "amount": attempt.amount.amount,
        "currency": attempt.amount.currency,
        "requested_at": attempt.requested_at,
        "status": attempt.status.value,
        "reference": attempt.reference,
        "detail": attempt.detail,
        "settled_at": attempt.settled_at,
    }


def _attempt(row: RowMapping) -> PaymentAttempt:
    return PaymentAttempt(
        key=row["key"],
        order_id=row["order_id"],
        number=row["number"],
        kind=AttemptKind(row["kind"]),
        amount=Money(row["amount"], row["currency"]),
        requested_at=row["requested_at"],
        status=AttemptStatus(row["status"]),
        reference=row["reference"],
        detail=row["detail"],
        settled_at=row["settled_at"],
    )
