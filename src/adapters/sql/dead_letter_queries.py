"""Queries for dead letters and unrecognized records, and the outbox of their copies."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import frozen
from sqlalchemy import ColumnElement, Subquery, and_, delete, func, select

from ...application.consuming.dead_letter import DeadLetter, DeadLetterAction, Outcome, SetAsideRecord
from ...application.dead_letters.ports import ParkedGroup
from .bulk import among, change, select_all
from .database import Database
from .dead_letters import (
    action_of,
    dead_letter_actions,
    dead_letter_copies,
    dead_letter_of,
    dead_letters,
    parked_orders,
    select_stored_counts,
    set_aside_of,
    unrecognized_counts,
    unrecognized_records,
)
from .types import due


@frozen
class SqlDeadLetters:
    _database: Database

    async def blocking(
        self, consumer: str | None = None, *, error: str | None = None, limit: int | None = None
    ) -> Sequence[DeadLetter]:
        it = dead_letters.c
        query = select(dead_letters).join(*_firsts()).order_by(it.consumer, it.order_id).limit(limit)
        if consumer is not None:
            query = query.where(it.consumer == consumer)
        if error is not None:
            query = query.where(it.error == error)
        return [dead_letter_of(row) for row in await select_all(self._database, query)]

    async def groups(self) -> Sequence[ParkedGroup]:
        it = dead_letters.c
        orders = func.count().label("orders")
        query = (
            select(it.consumer, it.error, orders, func.max(it.last_failed_at).label("last_failed_at"))
            .select_from(dead_letters)
            .join(*_firsts())
            .group_by(it.consumer, it.error)
            .order_by(orders.desc(), it.consumer, it.error)
        )
        return [ParkedGroup(**row) for row in await select_all(self._database, query)]

    async def of_order(self, consumer: str, order_id: str) -> Sequence[DeadLetter]:
        it = dead_letters.c
        query = select(dead_letters).where(it.consumer == consumer, it.order_id == order_id).order_by(it.sequence)
        return [dead_letter_of(row) for row in await select_all(self._database, query)]

    async def waiting(self, consumer: str, order_ids: Collection[str]) -> Mapping[str, int]:
        it = dead_letters.c
        counted = select(it.order_id, func.count().label("number")).group_by(it.order_id)
        these = it.consumer == consumer, among(self._database.engine, it.order_id, order_ids)
        return {row.order_id: row.number for row in await self._database.rows(counted.where(*these))}

    async def history(
        self, *, limit: int, consumer: str | None = None, order_id: str | None = None
    ) -> Sequence[DeadLetterAction]:
        it = dead_letter_actions.c
        changes = select(dead_letter_actions).order_by(it.entry.desc()).limit(limit)
        if consumer is not None:
            changes = changes.where(it.consumer == consumer)
        if order_id is not None:
            changes = changes.where(it.order_id == order_id)
        return [action_of(row) for row in await select_all(self._database, changes)]

    async def claim_copies(self, *, now: datetime, until: datetime, limit: int) -> Sequence[DeadLetter]:
        it, of = dead_letter_copies.c, dead_letters.c
        same = and_(it.consumer == of.consumer, it.order_id == of.order_id, it.sequence == of.sequence)
        claimable = (
            select(dead_letters)
            .join(dead_letter_copies, same)
            .where(due(it.due_at, now, until))
            .order_by(it.consumer, it.order_id, it.sequence)
            .limit(limit)
        )
        # If nothing is due, take no lock.
        if not await select_all(self._database, claimable.limit(1)):
            return []
        async with self._database.writing() as connection:
            found = await connection.execute(claimable.with_for_update(of=dead_letter_copies, skip_locked=True))
            claimed = [dead_letter_of(row) for row in found.mappings()]
            await change(connection, dead_letter_copies, [{**_key(entry), "due_at": until} for entry in claimed])
        return claimed

    async def copied(self, entries: Sequence[DeadLetter]) -> None:
        it = dead_letter_copies.c
        async with self._database.writing() as connection:
            for entry in entries:
                here = [it[name] == value for name, value in _key(entry).items()]
                await connection.execute(delete(dead_letter_copies).where(*here))

    async def dropped(self, consumer: str) -> Mapping[str, Collection[int]]:
        it = dead_letter_actions.c
        given_up = select(it.order_id, it.sequence).where(it.consumer == consumer, it.outcome == Outcome.DROPPED.value)
        found: dict[str, set[int]] = defaultdict(set)
        for row in await select_all(self._database, given_up):
            found[row["order_id"]].add(row["sequence"])
        return found

    async def parked(self) -> Mapping[str, int]:
        it = parked_orders.c.consumer
        counted = select(it, func.count().label("orders")).group_by(it)
        return {row["consumer"]: row["orders"] for row in await select_all(self._database, counted)}

    async def counts(self) -> Mapping[str, int]:
        it = dead_letters.c.consumer
        counted = select(it, func.count().label("count")).group_by(it)
        return {row["consumer"]: row["count"] for row in await select_all(self._database, counted)}

    async def unrecognized_counts(self) -> Mapping[str, int]:
        stored: Counter[str] = Counter()
        for row in await select_all(self._database, select_stored_counts()):
            stored[row["consumer"]] += row["records"]
        it = unrecognized_counts.c
        counted = select(it.consumer, func.sum(it.records).label("records")).group_by(it.consumer)
        return dict(stored) | {
            row["consumer"]: int(row["records"]) for row in await select_all(self._database, counted)
        }

    async def latest(self, limit: int) -> Sequence[DeadLetter]:
        it = dead_letters.c
        query = select(dead_letters).where(it.error != "").order_by(it.last_failed_at.desc()).limit(limit)
        return [dead_letter_of(row) for row in await select_all(self._database, query)]

    async def unrecognized_records(self, consumer: str | None = None, *, limit: int = 100) -> Sequence[SetAsideRecord]:
        query = select(unrecognized_records).order_by(*unrecognized_records.primary_key.columns).limit(limit)
        if consumer is not None:
            query = query.where(unrecognized_records.c.consumer == consumer)
        return [set_aside_of(row) for row in await select_all(self._database, query)]


def _firsts() -> tuple[Subquery, ColumnElement[bool]]:
    """Return the first dead letter of each order, and the condition by which a dead letter is one of these."""
    it = dead_letters.c
    first = (
        select(it.consumer, it.order_id, func.min(it.sequence).label("sequence"))
        .group_by(it.consumer, it.order_id)
        .subquery()
    )
    same = and_(it.consumer == first.c.consumer, it.order_id == first.c.order_id, it.sequence == first.c.sequence)
    return first, same


def _key(entry: DeadLetter) -> dict[str, object]:
    return {"consumer": entry.consumer, "order_id": entry.record.order_id, "sequence": entry.record.sequence}
