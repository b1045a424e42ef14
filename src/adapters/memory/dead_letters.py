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
from .clock import due
from .overlay import Overlay

DeadLetterKey = tuple[str, str, int]
"""Consumer, order and sequence of a dead letter."""


def dead_letter_key(letter: DeadLetter) -> DeadLetterKey:
    return letter.consumer, letter.record.order_id, letter.record.sequence


@frozen
class MemoryDeadLetterStore:
    _consumer: str
    _letters: Overlay[tuple[str, str], tuple[DeadLetter, ...]]
    _unrecognized: Overlay[tuple[str, str, int, int], SetAsideRecord]
    _counts: Overlay[str, SetAsideCounts]
    _copies: Overlay[DeadLetterKey, datetime]
    _changes: list[DeadLetterAction]
    _noted: list[DeadLetterAction] = field(factory=list, init=False)

    async def parked(self, order_ids: Collection[str]) -> Collection[str]:
        return {order_id for order_id in order_ids if self._letters.get((self._consumer, order_id))}

    async def first(self, order_id: str) -> DeadLetter | None:
        return next(iter(self._letters.get((self._consumer, order_id)) or ()), None)

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            others = self._without(letter)
            self._put(letter.record.order_id, sorted([*others, letter], key=lambda it: it.record.sequence))

    async def remove(self, letter: DeadLetter) -> bool:
        others = self._without(letter)
        self._put(letter.record.order_id, others)
        self._copies.drop(dead_letter_key(letter))
        return not others

    async def copy_later(self, letters: Sequence[DeadLetter], at: datetime) -> None:
        for letter in letters:
            self._copies.put(dead_letter_key(letter), at)

    async def note(self, change: DeadLetterAction) -> None:
        self._noted.append(change)

    async def set_aside(self, letters: Sequence[SetAsideRecord]) -> None:
        counts: SetAsideCounts = self._counts.get(self._consumer) or {}
        room = max(0, MAX_SET_ASIDE - sum(records for _, records in counts.values()))
        new, counts = count_new(letters, counts)
        self._counts.put(self._consumer, counts)
        for letter in new[:room]:
            at = letter.record
            self._unrecognized.put((letter.consumer, at.topic, at.partition, at.offset), letter)

    def commit(self) -> None:
        self._letters.keep()
        self._unrecognized.keep()
        self._counts.keep()
        self._copies.keep()
        self._changes.extend(self._noted)

    def _without(self, letter: DeadLetter) -> list[DeadLetter]:
        there = self._letters.get((self._consumer, letter.record.order_id)) or ()
        return [it for it in there if it.record.sequence != letter.record.sequence]

    def _put(self, order_id: str, letters: Sequence[DeadLetter]) -> None:
        if letters:
            self._letters.put((self._consumer, order_id), tuple(letters))
        else:
            self._letters.drop((self._consumer, order_id))


@frozen
class MemoryDeadLetters:
    _letters: dict[tuple[str, str], tuple[DeadLetter, ...]]
    _unrecognized: dict[tuple[str, str, int, int], SetAsideRecord]
    _counts: dict[str, SetAsideCounts]
    _copies: dict[DeadLetterKey, datetime]
    _changes: list[DeadLetterAction]
    _lock: asyncio.Lock

    async def blocking(self, consumer: str | None = None, *, error: str | None = None) -> Sequence[DeadLetter]:
        firsts = (letters[0] for _, letters in sorted(self._letters.items()))
        return [it for it in firsts if consumer in (None, it.consumer) and error in (None, it.error)]

    async def of_order(self, consumer: str, order_id: str) -> Sequence[DeadLetter]:
        return self._letters.get((consumer, order_id), ())

    async def waiting(self, consumer: str) -> Mapping[str, int]:
        return {order_id: len(letters) for (of, order_id), letters in self._letters.items() if of == consumer}

    async def history(
        self, *, limit: int, consumer: str | None = None, order_id: str | None = None
    ) -> Sequence[DeadLetterAction]:
        latest = reversed(self._changes)
        return [it for it in latest if consumer in (None, it.consumer) and order_id in (None, it.order_id)][:limit]

    async def claim_copies(self, *, now: datetime, until: datetime, limit: int) -> Sequence[DeadLetter]:
        async with self._lock:
            claimed = [key for key, at in sorted(self._copies.items()) if due(at, now, until)][:limit]
            self._copies.update(dict.fromkeys(claimed, until))
            letters = {dead_letter_key(it): it for key in claimed for it in self._letters.get(key[:2], ())}
        return [letters[key] for key in claimed]

    async def copied(self, letters: Sequence[DeadLetter]) -> None:
        async with self._lock:
            for letter in letters:
                self._copies.pop(dead_letter_key(letter), None)

    async def dropped(self, consumer: str) -> Mapping[str, Collection[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for it in self._changes:
            if it.consumer == consumer and it.outcome is Outcome.DROPPED:
                found[it.order_id].add(it.sequence)
        return found

    async def parked(self) -> Mapping[str, int]:
        return Counter(consumer for consumer, _ in self._letters)

    async def counts(self) -> Mapping[str, int]:
        return Counter(consumer for (consumer, _), letters in self._letters.items() for _ in letters)

    async def unrecognized_counts(self) -> Mapping[str, int]:
        return {consumer: sum(records for _, records in it.values()) for consumer, it in self._counts.items()}

    async def latest(self, limit: int) -> Sequence[DeadLetter]:
        failed = [it for letters in self._letters.values() for it in letters if it.error]
        return sorted(failed, key=lambda it: it.last_failed_at, reverse=True)[:limit]

    async def unrecognized_records(self, consumer: str | None = None, *, limit: int = 100) -> Sequence[SetAsideRecord]:
        letters = (self._unrecognized[key] for key in sorted(self._unrecognized))
        return [it for it in letters if consumer in (None, it.consumer)][:limit]
