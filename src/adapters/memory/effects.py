"""What the consumers keep, in dictionaries."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from attrs import define, field

from ...application.dead_letters import DeadLetter, ForeignLetter, LetterChange
from ...application.figures import OrderCourse
from ...application.notices import Contact, Notification, Parties
from ...application.ports import Cursors
from ...application.stockroom import Food, Reservation
from ...domain.errors import StaleCursor
from .effects_books import (
    LetterKey,
    MemoryAnalyticsBook,
    MemoryDeadLetterBook,
    MemoryNotificationBook,
    MemoryReservationBook,
    NoticeKey,
)
from .effects_views import (
    MemoryAnalyticsViews,
    MemoryContacts,
    MemoryDeadLetters,
    MemoryNotifications,
    MemoryShortages,
    MemoryStock,
)
from .staging import Staged


@define(eq=False)
class MemoryEffects:
    """Everything that the consumers of one installation keep, in one process. One transaction runs at a time."""

    cursors: Cursors
    _parties: dict[str, Parties] = field(factory=dict, init=False)
    _contacts: dict[str, Contact] = field(factory=dict, init=False)
    _notices: dict[str, Mapping[NoticeKey, Notification]] = field(factory=dict, init=False)
    _pending: dict[tuple[str, NoticeKey], None] = field(factory=dict, init=False)
    _courses: dict[str, OrderCourse] = field(factory=dict, init=False)
    _reservations: dict[str, Reservation] = field(factory=dict, init=False)
    _stock: dict[Food, int] = field(factory=dict, init=False)
    _letters: dict[tuple[str, str], tuple[DeadLetter, ...]] = field(factory=dict, init=False)
    _foreign: dict[tuple[str, str, int, int], ForeignLetter] = field(factory=dict, init=False)
    _to_copy: dict[LetterKey, datetime] = field(factory=dict, init=False)
    _changes: list[LetterChange] = field(factory=list, init=False)
    _lock: asyncio.Lock = field(factory=asyncio.Lock, init=False, repr=False)

    @asynccontextmanager
    async def store(self, consumer: str) -> AsyncIterator["MemoryConsumerWork"]:
        """A transaction of ``consumer``: staged, and kept at its end."""
        async with self._lock:
            work = MemoryConsumerWork(self, consumer)
            yield work
            await work.commit()

    @property
    def contacts(self) -> MemoryContacts:
        return MemoryContacts(self._contacts)

    @property
    def notifications(self) -> MemoryNotifications:
        return MemoryNotifications(self._notices, self._pending, self._lock)

    @property
    def analytics(self) -> MemoryAnalyticsViews:
        return MemoryAnalyticsViews(self._courses)

    @property
    def stock(self) -> MemoryStock:
        return MemoryStock(self._stock, self._lock)

    @property
    def shortages(self) -> MemoryShortages:
        return MemoryShortages(self._reservations, self._lock)

    @property
    def dead_letters(self) -> MemoryDeadLetters:
        return MemoryDeadLetters(self._letters, self._foreign, self._to_copy, self._changes, self._lock)


class MemoryConsumerWork:
    """One transaction in progress."""

    def __init__(self, effects: MemoryEffects, consumer: str) -> None:
        self._consumer = consumer
        self._cursors = effects.cursors
        self._moves: dict[int, int] = {}
        self.notifications = MemoryNotificationBook(
            effects._contacts, Staged(effects._parties), Staged(effects._notices), Staged(effects._pending)
        )
        self.analytics = MemoryAnalyticsBook(Staged(effects._courses))
        self.reservations = MemoryReservationBook(Staged(effects._reservations), Staged(effects._stock))
        self.dead_letters = MemoryDeadLetterBook(
            consumer,
            Staged(effects._letters),
            Staged(effects._foreign),
            Staged(effects._to_copy),
            effects._changes,
        )

    async def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        at = await self._cursors.positions(self._consumer)
        for bucket, (expected, position) in moves.items():
            if self._moves.get(bucket, at.get(bucket, 0)) != expected:
                raise StaleCursor(self._consumer, bucket, expected)
            self._moves[bucket] = position

    async def commit(self) -> None:
        await self._cursors.put(self._consumer, self._moves)
        for book in (self.notifications, self.analytics, self.reservations, self.dead_letters):
            book.commit()
