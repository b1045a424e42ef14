"""What the consumers keep, in dictionaries."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from attrs import define, field, frozen

from ...application.analytics.order_progress import OrderCourse
from ...application.consuming.dead_letter import DeadLetter, ForeignLetter, LetterChange
from ...application.event_log.ports import Cursors
from ...application.event_log.records import Positions
from ...application.inventory.stock import Food, Reservation
from ...application.notifications.notification import Contact, Notification, Parties
from ...application.replay.rebuilding import Swapped
from ...domain.errors import RebuildOvertaken, StaleCursor
from .analytics import MemoryAnalyticsBook, MemoryAnalyticsViews
from .dead_letters import LetterKey, MemoryDeadLetterBook, MemoryDeadLetters
from .inventory import MemoryReservationBook, MemoryShortages, MemoryStock
from .notifications import MemoryContacts, MemoryNotificationBook, MemoryNotifications, NoticeKey
from .overlay import Staged


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
    _beside: dict[str, OrderCourse] = field(factory=dict, init=False)
    _run: str = field(default="", init=False)
    _lock: asyncio.Lock = field(factory=asyncio.Lock, init=False, repr=False)

    @property
    def beside(self) -> "MemoryBeside":
        return MemoryBeside(self)

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

    async def hold(self, buckets: Collection[int]) -> Positions:
        at = await self._cursors.positions(self._consumer)
        return {bucket: self._moves.get(bucket, at.get(bucket, 0)) for bucket in buckets}

    async def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        at = await self.hold(moves)
        for bucket, (expected, position) in moves.items():
            if at[bucket] != expected:
                raise StaleCursor(self._consumer, bucket, expected)
            self._moves[bucket] = position

    async def commit(self) -> None:
        await self._cursors.put(self._consumer, self._moves)
        for book in (self.notifications, self.analytics, self.reservations, self.dead_letters):
            book.commit()


@frozen
class MemoryBeside:
    _effects: MemoryEffects

    async def begin(self, run: str) -> None:
        async with self._effects._lock:
            self._effects._run = run
            self._effects._beside.clear()

    @asynccontextmanager
    async def store(self, run: str) -> AsyncIterator["MemoryRebuildWork"]:
        async with self._effects._lock:
            if self._effects._run != run:
                raise RebuildOvertaken("analytics")
            work = MemoryRebuildWork(self._effects)
            yield work
            await work.commit()


class MemoryRebuildWork(MemoryConsumerWork):
    """One transaction in progress."""

    def __init__(self, effects: MemoryEffects) -> None:
        super().__init__(effects, "analytics")
        self._effects = effects
        self._courses = Staged(effects._beside)
        self._swaps = False
        self.analytics = MemoryAnalyticsBook(self._courses)

    async def swap(self) -> Swapped:
        self._swaps = True
        new, old = self._courses.all(), self._effects._courses
        changed = sum(old.get(order_id) != course for order_id, course in new.items())
        return Swapped(courses=len(new), changed=changed, removed=len(old.keys() - new.keys()))

    async def commit(self) -> None:
        await super().commit()
        if self._swaps:
            self._effects._courses.clear()
            self._effects._courses.update(self._effects._beside)
            self._effects._beside.clear()
