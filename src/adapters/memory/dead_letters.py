"""Dead letters and unrecognized records in memory."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from ...application.consuming.dead_letter import (
    MAX_SET_ASIDE,
    DeadLetter,
    DeadLetterAction,
    Outcome,
    SetAsideCounts,
    SetAsideRecord,
    count_new,
)
from ...application.dead_letters.ports import ParkedGroup
from .clock import due
from .overlay import Overlay

DeadLetterKey = tuple[str, str, int]
"""Consumer, order and sequence of a dead letter."""


def dead_letter_key(dead_letter: DeadLetter) -> DeadLetterKey:
    return dead_letter.consumer, dead_letter.record.order_id, dead_letter.record.sequence


@frozen
class MemoryDeadLetterStore:
    _consumer: str
    _by_order: Overlay[tuple[str, str], tuple[DeadLetter, ...]]
    _unrecognized: Overlay[tuple[str, str, int, int], SetAsideRecord]
    _counts: Overlay[str, SetAsideCounts]
    _copies: Overlay[DeadLetterKey, datetime]
    _changes: list[DeadLetterAction]
    _noted: list[DeadLetterAction] = field(factory=list, init=False)

    async def parked(self, order_ids: Collection[str]) -> Collection[str]:
        return {order_id for order_id in order_ids if self._by_order.get((self._consumer, order_id))}

    async def first(self, order_id: str) -> DeadLetter | None:
        return next(iter(self._by_order.get((self._consumer, order_id)) or ()), None)

    async def keep(self, dead_letters: Sequence[DeadLetter]) -> None:
        for dead_letter in dead_letters:
            others = self._without(dead_letter)
            self._put(dead_letter.record.order_id, sorted([*others, dead_letter], key=lambda it: it.record.sequence))

    async def remove(self, dead_letter: DeadLetter) -> bool:
        others = self._without(dead_letter)
        self._put(dead_letter.record.order_id, others)
        self._copies.drop(dead_letter_key(dead_letter))
        return not others

    async def copy_later(self, dead_letters: Sequence[DeadLetter], at: datetime) -> None:
        for dead_letter in dead_letters:
            self._copies.put(dead_letter_key(dead_letter), at)

    async def note(self, change: DeadLetterAction) -> None:
        self._noted.append(change)

    async def set_aside(self, records: Sequence[SetAsideRecord]) -> None:
        counts: SetAsideCounts = self._counts.get(self._consumer) or {}
        room = max(0, MAX_SET_ASIDE - sum(records for _, records in counts.values()))
        new, counts = count_new(records, counts)
        self._counts.put(self._consumer, counts)
        for each in new[:room]:
            at = each.record
            self._unrecognized.put((each.consumer, at.topic, at.partition, at.offset), each)

    def commit(self) -> None:
        self._by_order.keep()
        self._unrecognized.keep()
        self._counts.keep()
        self._copies.keep()
        self._changes.extend(self._noted)

    def _without(self, dead_letter: DeadLetter) -> list[DeadLetter]:
        there = self._by_order.get((self._consumer, dead_letter.record.order_id)) or ()
        return [it for it in there if it.record.sequence != dead_letter.record.sequence]

    def _put(self, order_id: str, dead_letters: Sequence[DeadLetter]) -> None:
        if dead_letters:
            self._by_order.put((self._consumer, order_id), tuple(dead_letters))
        else:
            self._by_order.drop((self._consumer, order_id))


@frozen
class MemoryDeadLetters:
    _by_order: dict[tuple[str, str], tuple[DeadLetter, ...]]
    _unrecognized: dict[tuple[str, str, int, int], SetAsideRecord]
    _counts: dict[str, SetAsideCounts]
    _copies: dict[DeadLetterKey, datetime]
    _changes: list[DeadLetterAction]
    _lock: asyncio.Lock

    async def blocking(
        self, consumer: str | None = None, *, error: str | None = None, limit: int | None = None
    ) -> Sequence[DeadLetter]:
        firsts = (dead_letters[0] for _, dead_letters in sorted(self._by_order.items()))
        return [it for it in firsts if consumer in (None, it.consumer) and error in (None, it.error)][:limit]

    async def groups(self) -> Sequence[ParkedGroup]:
        members: dict[tuple[str, str], list[DeadLetter]] = defaultdict(list)
        for first in await self.blocking():
            members[first.consumer, first.error].append(first)
        found = [
            ParkedGroup(
                consumer=consumer,
                error=error,
                orders=len(those),
                last_failed_at=max(it.last_failed_at for it in those),
            )
            for (consumer, error), those in members.items()
        ]
        return sorted(found, key=lambda group: (-group.orders, group.consumer, group.error))

    async def of_order(self, consumer: str, order_id: str) -> Sequence[DeadLetter]:
        return self._by_order.get((consumer, order_id), ())

    async def waiting(self, consumer: str, order_ids: Collection[str]) -> Mapping[str, int]:
        found = {order_id: self._by_order.get((consumer, order_id), ()) for order_id in order_ids}
        return {order_id: len(dead_letters) for order_id, dead_letters in found.items() if dead_letters}

    async def history(
        self, *, limit: int, consumer: str | None = None, order_id: str | None = None
    ) -> Sequence[DeadLetterAction]:
        latest = reversed(self._changes)
        return [it for it in latest if consumer in (None, it.consumer) and order_id in (None, it.order_id)][:limit]

    async def claim_copies(self, *, now: datetime, until: datetime, limit: int) -> Sequence[DeadLetter]:
        async with self._lock:
            claimed = [key for key, at in sorted(self._copies.items()) if due(at, now, until)][:limit]
            self._copies.update(dict.fromkeys(claimed, until))
            dead_letters = {dead_letter_key(it): it for key in claimed for it in self._by_order.get(key[:2], ())}
        return [dead_letters[key] for key in claimed]

    async def copied(self, dead_letters: Sequence[DeadLetter]) -> None:
        async with self._lock:
            for dead_letter in dead_letters:
                self._copies.pop(dead_letter_key(dead_letter), None)

    async def dropped(self, consumer: str) -> Mapping[str, Collection[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for it in self._changes:
            if it.consumer == consumer and it.outcome is Outcome.DROPPED:
                found[it.order_id].add(it.sequence)
        return found

    async def parked(self) -> Mapping[str, int]:
        return Counter(consumer for consumer, _ in self._by_order)

    async def counts(self) -> Mapping[str, int]:
        return Counter(consumer for (consumer, _), dead_letters in self._by_order.items() for _ in dead_letters)

    async def unrecognized_counts(self) -> Mapping[str, int]:
        return {consumer: sum(records for _, records in it.values()) for consumer, it in self._counts.items()}

    async def latest(self, limit: int) -> Sequence[DeadLetter]:
        failed = [it for dead_letters in self._by_order.values() for it in dead_letters if it.error]
        return sorted(failed, key=lambda it: it.last_failed_at, reverse=True)[:limit]

    async def unrecognized_records(self, consumer: str | None = None, *, limit: int = 100) -> Sequence[SetAsideRecord]:
        records = (self._unrecognized[key] for key in sorted(self._unrecognized))
        return [it for it in records if consumer in (None, it.consumer)][:limit]
