"""The consumers' data in memory."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from attrs import frozen

from ...application.analytics.order_progress import OrderProgress
from ...application.consuming.dead_letter import DeadLetter, DeadLetterAction, SetAsideCounts, SetAsideRecord
from ...application.event_log.ports import Cursors
from ...application.event_log.records import Positions
from ...application.inventory.stock import Food, Reservation
from ...application.notifications.notification import Contact, Notification, Parties
from ...application.orders.ports import OrderQueries
from ...application.replay.rebuilding import SwapResult
from ...domain.errors import RebuildOvertaken, StaleCursor
from .analytics import MemoryAnalyticsQueries, MemoryAnalyticsStore
from .dead_letters import DeadLetterKey, MemoryDeadLetters, MemoryDeadLetterStore
from .inventory import MemoryReservationStore, MemoryShortages, MemoryStock
from .notifications import MemoryContacts, MemoryNotifications, MemoryNotificationStore, NotificationEntryKey
from .overlay import Overlay
from .webhooks import MemoryWebhooks, MemoryWebhookState, MemoryWebhookStore


class MemoryConsumerStores:
    """The data of all consumers of one installation, in one process. One transaction runs at a time.

    ``orders`` has the restaurants of orders, for webhooks.
    """

    def __init__(self, cursors: Cursors, orders: OrderQueries | None = None) -> None:
        self.cursors = cursors
        self._parties: dict[str, Parties] = {}
        self._contacts: dict[str, Contact] = {}
        self._notifications: dict[str, Mapping[NotificationEntryKey, Notification]] = {}
        self._pending: dict[tuple[str, NotificationEntryKey], None] = {}
        self._progress: dict[str, OrderProgress] = {}
        self._reservations: dict[str, Reservation] = {}
        self._stock: dict[Food, int] = {}
        self._dead_letters: dict[tuple[str, str], tuple[DeadLetter, ...]] = {}
        self._unrecognized: dict[tuple[str, str, int, int], SetAsideRecord] = {}
        self._unrecognized_counts: dict[str, SetAsideCounts] = {}
        self._copies: dict[DeadLetterKey, datetime] = {}
        self._actions: list[DeadLetterAction] = []
        self._shadow: dict[str, OrderProgress] = {}
        self._run = ""
        self._webhooks = MemoryWebhookState(orders)
        self._lock = asyncio.Lock()
        self.analytics_shadow = MemoryAnalyticsShadow(self)
        self.contacts = MemoryContacts(self._contacts)
        self.notifications = MemoryNotifications(self._notifications, self._pending, self._lock)
        self.analytics = MemoryAnalyticsQueries(self._progress)
        self.stock = MemoryStock(self._stock, self._lock)
        self.shortages = MemoryShortages(self._reservations, self._lock)
        self.webhooks = MemoryWebhooks(self._webhooks, self._lock)
        self.dead_letters = MemoryDeadLetters(
            self._dead_letters, self._unrecognized, self._unrecognized_counts, self._copies, self._actions, self._lock
        )

    @asynccontextmanager
    async def store(self, consumer: str) -> AsyncIterator["MemoryConsumerTransaction"]:
        """Begin a transaction of ``consumer``; it commits at the end of the block."""
        async with self._lock:
            work = MemoryConsumerTransaction(self, consumer)
            yield work
            await work.commit()


class MemoryConsumerTransaction:
    """One transaction in progress."""

    def __init__(self, effects: MemoryConsumerStores, consumer: str) -> None:
        self._consumer = consumer
        self._cursors = effects.cursors
        self._moves: dict[int, int] = {}
        self.notifications = MemoryNotificationStore(
            effects._contacts, Overlay(effects._parties), Overlay(effects._notifications), Overlay(effects._pending)
        )
        self.analytics = MemoryAnalyticsStore(Overlay(effects._progress))
        self.reservations = MemoryReservationStore(Overlay(effects._reservations), Overlay(effects._stock))
        self.webhooks = MemoryWebhookStore(effects._webhooks)
        self.dead_letters = MemoryDeadLetterStore(
            consumer,
            Overlay(effects._dead_letters),
            Overlay(effects._unrecognized),
            Overlay(effects._unrecognized_counts),
            Overlay(effects._copies),
            effects._actions,
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
        for store in (self.notifications, self.analytics, self.reservations, self.webhooks, self.dead_letters):
            store.commit()


@frozen
class MemoryAnalyticsShadow:
    _effects: MemoryConsumerStores

    async def begin(self, run: str) -> None:
        async with self._effects._lock:
            self._effects._run = run
            self._effects._shadow.clear()

    @asynccontextmanager
    async def store(self, run: str) -> AsyncIterator["MemoryRebuildTransaction"]:
        async with self._effects._lock:
            if self._effects._run != run:
                raise RebuildOvertaken("analytics")
            work = MemoryRebuildTransaction(self._effects)
            yield work
            await work.commit()


class MemoryRebuildTransaction(MemoryConsumerTransaction):
    """One transaction in progress."""

    def __init__(self, effects: MemoryConsumerStores) -> None:
        super().__init__(effects, "analytics")
        self._effects = effects
        self._progress = Overlay(effects._shadow)
        self._swaps = False
        self.analytics = MemoryAnalyticsStore(self._progress)

    async def swap(self) -> SwapResult:
        self._swaps = True
        new, old = self._progress.all(), self._effects._progress
        changed = sum(old.get(order_id) != progress for order_id, progress in new.items())
        return SwapResult(orders=len(new), changed=changed, removed=len(old.keys() - new.keys()))

    async def commit(self) -> None:
        await super().commit()
        if self._swaps:
            self._effects._progress.clear()
            self._effects._progress.update(self._effects._shadow)
            self._effects._shadow.clear()
