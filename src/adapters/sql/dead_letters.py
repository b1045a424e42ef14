"""Dead letters of the consumers, and records that are not recognized: tables, rows and the transactional store."""

from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from attrs import asdict, fields_dict, frozen
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Select,
    SmallInteger,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.consuming.dead_letter import (
    MAX_SET_ASIDE,
    DeadLetter,
    DeadLetterAction,
    Outcome,
    SetAsideCounts,
    SetAsideRecord,
    count_new,
)
from ...application.event_log.records import LogRecord, Origin, UnrecognizedRecord
from ...domain.text import storable
from .bulk import Row, among, insert_into, put
from .maintenance_log import note_of
from .types import Counter, Identifier, Timestamp, metadata

parked_orders = Table(
    "parked_orders",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("order_id", Identifier, nullable=False),
    PrimaryKeyConstraint("consumer", "order_id"),
)
"""Orders with dead letters. A transaction that adds or removes dead letters of an order locks its row first."""


dead_letters = Table(
    "dead_letters",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("occurred_at", Timestamp, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("trace", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_failed_at", Timestamp, nullable=False),
    Column("last_failed_at", Timestamp, nullable=False),
    # The record on the topic; NULL if the event was read from the log.
    Column("topic", Text),
    Column("partition", Integer),
    Column("offset", BigInteger),
    PrimaryKeyConstraint("consumer", "order_id", "sequence"),
)


dead_letter_copies = Table(
    "dead_letter_copies",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("due_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("consumer", "order_id", "sequence"),
)
"""Dead letters that are to be copied to their topic."""


dead_letter_actions = Table(
    "dead_letter_actions",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("consumer", Identifier, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""Redriven and dropped dead letters. Rows are never updated or deleted."""
Index(None, dead_letter_actions.c.consumer, dead_letter_actions.c.order_id)


unrecognized_records = Table(
    "unrecognized_records",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("topic", Identifier, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    # Pairs of a name and a value in base64; names may repeat.
    Column("headers", JSON, nullable=False),
    Column("problem", Text, nullable=False),
    Column("found_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("consumer", "topic", "partition", "offset"),
)


unrecognized_counts = Table(
    "unrecognized_counts",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("topic", Identifier, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("last_offset", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    PrimaryKeyConstraint("consumer", "topic", "partition"),
)
"""The number of unrecognized records, stored or not, up to the last that was found in the partition."""


_RECORD = tuple(name for name in LogRecord._fields if name != "epoch")


_UNRECOGNIZED = frozenset(fields_dict(UnrecognizedRecord)) - {"skipped"}


_ORIGIN = tuple(fields_dict(Origin))


def row_of_dead_letter(it: DeadLetter) -> dict[str, Any]:
    return {
        **it.record._asdict(),
        **{name: None if it.origin is None else getattr(it.origin, name) for name in _ORIGIN},
        **{name: value for name, value in asdict(it, recurse=False).items() if name not in ("record", "origin")},
        **{name: storable(value) for name, value in (("message", it.message), ("trace", it.trace))},
    }


def dead_letter_of(row: Row) -> DeadLetter:
    record = LogRecord(**{name: row[name] for name in _RECORD})
    origin = None if row["topic"] is None else Origin(**{name: row[name] for name in _ORIGIN})
    rest = {name: row[name] for name in row if name not in _RECORD + _ORIGIN}
    return DeadLetter(record=record, origin=origin, **rest)


def row_of_action(it: DeadLetterAction) -> dict[str, Any]:
    rest = {name: value for name, value in asdict(it, recurse=False).items() if name != "note"}
    return {**asdict(it.note), **rest, "outcome": it.outcome.value}


def action_of(row: Row) -> DeadLetterAction:
    rest = {name: row[name] for name in row if name not in ("entry", "by", "reason", "at", "outcome")}
    return DeadLetterAction(note=note_of(row), outcome=Outcome(row["outcome"]), **rest)


def row_of_set_aside(it: SetAsideRecord) -> dict[str, Any]:
    return {
        **{name: getattr(it.record, name) for name in _UNRECOGNIZED},
        "headers": [[name, b64encode(value).decode()] for name, value in it.record.headers],
        "problem": storable(it.record.problem),
        "consumer": it.consumer,
        "found_at": it.found_at,
    }


def set_aside_of(row: Row) -> SetAsideRecord:
    names = _UNRECOGNIZED - {"headers"}
    headers = tuple((name, b64decode(value)) for name, value in row["headers"])
    record = UnrecognizedRecord(headers=headers, **{name: row[name] for name in names})
    return SetAsideRecord(consumer=row["consumer"], record=record, found_at=row["found_at"])


def select_stored_counts() -> Select[Any]:
    """Select what ``unrecognized_counts`` would have if only the stored records had been found."""
    it = unrecognized_records.c
    place = it.consumer, it.topic, it.partition
    return select(*place, func.max(it.offset).label("last_offset"), func.count().label("records")).group_by(*place)


@frozen
class SqlDeadLetterStore:
    """Stores dead letters in a consumer's transaction. Changes of an order lock its row in ``parked_orders``."""

    _connection: AsyncConnection
    _consumer: str

    async def parked(self, order_ids: Collection[str]) -> Collection[str]:
        found = await self._connection.execute(
            select(parked_orders.c.order_id)
            .where(parked_orders.c.consumer == self._consumer)
            .where(among(self._connection, parked_orders.c.order_id, order_ids))
            .order_by(parked_orders.c.order_id)
            .with_for_update()
        )
        return set(found.scalars())

    async def first(self, order_id: str) -> DeadLetter | None:
        if not await self.parked([order_id]):
            return None
        it = dead_letters.c
        here = it.consumer == self._consumer, it.order_id == order_id
        query = select(dead_letters).where(*here).order_by(it.sequence).limit(1)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else dead_letter_of(row)

    async def keep(self, entries: Sequence[DeadLetter]) -> None:
        for order_id in sorted({entry.record.order_id for entry in entries}):
            await self._park(order_id)
        await put(self._connection, dead_letters, [row_of_dead_letter(it) for it in entries])

    async def remove(self, entry: DeadLetter) -> bool:
        order_id = entry.record.order_id
        for table in (dead_letters, dead_letter_copies):
            it = table.c
            here = it.consumer == self._consumer, it.order_id == order_id, it.sequence == entry.record.sequence
            await self._connection.execute(delete(table).where(*here))
        if await self.first(order_id) is not None:
            return False
        await self._connection.execute(
            delete(parked_orders).where(
                parked_orders.c.consumer == self._consumer, parked_orders.c.order_id == order_id
            )
        )
        return True

    async def copy_later(self, entries: Sequence[DeadLetter], at: datetime) -> None:
        rows = [
            {"consumer": it.consumer, "order_id": it.record.order_id, "sequence": it.record.sequence, "due_at": at}
            for it in entries
        ]
        await put(self._connection, dead_letter_copies, rows)

    async def note(self, change: DeadLetterAction) -> None:
        await self._connection.execute(insert(dead_letter_actions).values(row_of_action(change)))

    async def set_aside(self, records: Sequence[SetAsideRecord]) -> None:
        it = unrecognized_counts.c
        query = select(unrecognized_counts).where(it.consumer == self._consumer).order_by(it.topic, it.partition)
        found = (await self._connection.execute(query.with_for_update())).mappings().all()
        if not found:  # records that were stored before they were counted
            stored = select_stored_counts().where(unrecognized_records.c.consumer == self._consumer)
            found = (await self._connection.execute(stored)).mappings().all()
        counts: SetAsideCounts = {
            (row["topic"], row["partition"]): (row["last_offset"], row["records"]) for row in found
        }
        room = max(0, MAX_SET_ASIDE - sum(records for _, records in counts.values()))
        new, counts = count_new(records, counts)
        await put(self._connection, unrecognized_records, [row_of_set_aside(it) for it in new[:room]], replace=False)
        rows = [
            {"consumer": self._consumer, "topic": topic, "partition": number, "last_offset": last, "records": records}
            for (topic, number), (last, records) in sorted(counts.items())
        ]
        await put(self._connection, unrecognized_counts, rows)

    async def _park(self, order_id: str) -> None:
        """Insert the order's row or lock the existing one, which ON CONFLICT DO NOTHING would not do."""
        into = insert_into(self._connection, parked_orders)
        await self._connection.execute(
            into.on_conflict_do_update(index_elements=["consumer", "order_id"], set_={"order_id": order_id}),
            {"consumer": self._consumer, "order_id": order_id},
        )
