"""Payment attempts as rows. The committer writes them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from attrs import frozen
from sqlalchemy import (
    Column,
    ColumnElement,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    RowMapping,
    Select,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
    text,
    union,
)

from ...application.orders.payment_attempts import (
    ANSWERED_WITHIN,
    DECIDED,
    FINAL,
    LONGEST_PAUSE,
    LOOKED_UP_AFTER,
    AttemptKind,
    AttemptStatus,
    OutstandingPayments,
    PaymentAttempt,
)
from ...domain.money import Money
from .bulk import among
from .database import Database
from .types import Counter, DecimalAmount, Identifier, Row, Timestamp, due, metadata, partial_index, stored_time

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
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_at", Timestamp),
    PrimaryKeyConstraint("entry"),
    UniqueConstraint("key"),
)
Index(None, payment_attempts.c.order_id)


_OPEN_REFUND = text("kind = 'refund' AND status = 'requested'")
_REQUESTED = text("status = 'requested'")
_ASKED = text("NOT (kind = 'authorize' AND reference <> '')")
"""The gateway has to answer: it is no authorization that waits for the customer."""
_DECLINED_REFUND = text("kind = 'refund' AND status = 'declined'")
_HELD = text("status = 'held'")
IS_OUTSTANDING = "(status IN ('requested', 'held') OR (kind = 'refund' AND status = 'declined'))"
_DECIDED = ", ".join(f"'{status}'" for status in DECIDED)
FINAL_STATUSES = ", ".join(f"'{status}'" for status in FINAL)
IS_NEWS = f"""(payment_attempts.status = 'requested'
    OR (excluded.status IN ({_DECIDED}) AND payment_attempts.status NOT IN ({FINAL_STATUSES}))
    OR (excluded.status <> 'requested' AND payment_attempts.status NOT IN ({_DECIDED})
        AND NOT (excluded.kind = 'refund' AND excluded.status = 'succeeded'
            AND payment_attempts.status = 'declined')))"""
"""Of an attempt that is stored already: what PaymentAttempt.stored_over does."""
KEPT_REFERENCE = "reference = coalesce(nullif(excluded.reference, ''), payment_attempts.reference)"
partial_index("payment_attempts_unsettled", payment_attempts.c.requested_at, where=_OPEN_REFUND)

outstanding_attempts = Table(
    "outstanding_payment_attempts", metadata, Column("key", Text, nullable=False), PrimaryKeyConstraint("key")
)
"""The keys of attempts without an outcome, declined refunds and held authorizations. The committer keeps them.

They are few, and an index on the attempts would stop their writers while it is built.
"""

made_refunds = Table(
    "made_refunds",
    metadata,
    Column("key", Text, nullable=False),
    Column("due_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("key"),
)
"""The refunds that were made and are looked up again, with the time of the next look-up. The committer keeps them."""
Index("made_refunds_due_at", made_refunds.c.due_at)
MAY_FAIL = "(kind = 'refund' AND status = 'succeeded' AND due_at IS NOT NULL)"

_OUTSTANDING = payment_attempts.c.key.in_(
    # A process of an earlier release stores a refund without its key here; its index has it.
    union(select(outstanding_attempts.c.key), select(payment_attempts.c.key).where(_OPEN_REFUND))
)
_DUE_AT = func.coalesce(payment_attempts.c.due_at, payment_attempts.c.requested_at)
"""The time of the next try; earlier releases stored none."""
_IN_ORDER = (payment_attempts.c.requested_at, payment_attempts.c.entry)


@frozen
class SqlPaymentAttempts:
    database: Database

    async def of_order(self, order_id: str) -> Sequence[PaymentAttempt]:
        return await self.of_orders([order_id])

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[PaymentAttempt]:
        theirs = among(self.database.engine, payment_attempts.c.order_id, order_ids)
        return await self._find(select(payment_attempts).where(theirs).order_by(*_IN_ORDER))

    async def due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        earliest = (
            select(payment_attempts)
            .where(_OUTSTANDING, _REQUESTED, due(_DUE_AT, now, now + LONGEST_PAUSE))
            .order_by(_DUE_AT, payment_attempts.c.entry)
        )
        return await self._find(earliest.limit(limit))

    async def refunds_due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        it, refund = payment_attempts.c, made_refunds.c
        is_due = due(refund.due_at, now, now + LOOKED_UP_AFTER[-1])
        found = select(payment_attempts).join(made_refunds, refund.key == it.key).where(is_due)
        return await self._find(found.order_by(refund.due_at, it.entry).limit(limit))

    async def outstanding(self, now: datetime) -> OutstandingPayments:
        it = payment_attempts.c
        [unsettled] = await self.database.rows(
            select(func.count().label("many"), func.min(it.requested_at).label("oldest")).where(*_unsettled(now))
        )
        async with self.database.reading() as connection:
            declined, held = [
                await connection.scalar(select(func.count()).select_from(payment_attempts).where(_OUTSTANDING, which))
                for which in (_DECLINED_REFUND, _HELD)
            ]
        return OutstandingPayments(
            unsettled=unsettled.many, oldest=unsettled.oldest, declined_refunds=declined or 0, held=held or 0
        )

    async def list_outstanding(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        found = or_(and_(*_unsettled(now)), _DECLINED_REFUND, _HELD)
        return await self._find(select(payment_attempts).where(_OUTSTANDING, found).order_by(*_IN_ORDER).limit(limit))

    async def _find(self, query: Select[Any]) -> Sequence[PaymentAttempt]:
        return [_attempt(row._mapping) for row in await self.database.rows(query)]


def _unsettled(now: datetime) -> Sequence[ColumnElement[bool]]:
    tried = or_(payment_attempts.c.tries > 0, payment_attempts.c.requested_at < now - ANSWERED_WITHIN)
    return (_OUTSTANDING, cast("ColumnElement[bool]", _REQUESTED), cast("ColumnElement[bool]", _ASKED), tried)


def row_of(attempt: PaymentAttempt) -> Row:
    """Return the values of the ``payment_attempts`` row but its entry, in the order of its columns and stored form."""
    return (
        attempt.key,
        attempt.order_id,
        attempt.number,
        attempt.kind.value,
        format(attempt.amount.amount, "f"),
        attempt.amount.currency,
        stored_time(attempt.requested_at),
        attempt.status.value,
        attempt.reference,
        attempt.detail,
        None if attempt.settled_at is None else stored_time(attempt.settled_at),
        attempt.tries,
        None if attempt.due_at is None else stored_time(attempt.due_at),
    )


def _attempt(row: RowMapping) -> PaymentAttempt:
    same = {name: row[name] for name in row if name not in ("entry", "kind", "amount", "currency", "status")}
    amount = Money(row["amount"], row["currency"])
    return PaymentAttempt(kind=AttemptKind(row["kind"]), amount=amount, status=AttemptStatus(row["status"]), **same)
