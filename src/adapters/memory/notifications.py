"""Parties, contacts and notifications in memory."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from ...application.backlog import Backlog
from ...application.notifications.notification import (
    ERASED,
    Contact,
    Notification,
    NotificationKey,
    NotificationStatus,
    Parties,
)
from .clock import due
from .overlay import Overlay

NotificationEntryKey = tuple[int, str, str]
"""Sequence, recipient and channel of a notification of one order."""


def notification_entry_key(notification: Notification) -> NotificationEntryKey:
    return notification.sequence, notification.recipient, notification.channel


@frozen
class MemoryNotificationStore:
    _contacts: Mapping[str, Contact]
    _parties: Overlay[str, Parties]
    _notices: Overlay[str, Mapping[NotificationEntryKey, Notification]]
    _pending: Overlay[tuple[str, NotificationEntryKey], None]

    async def parties(self, order_ids: Collection[str]) -> Mapping[str, Parties]:
        return self._parties.among(order_ids)

    async def keep_parties(self, parties: Sequence[Parties]) -> None:
        for it in parties:
            self._parties.put(it.order_id, it)

    async def contacts(self, parties: Collection[str]) -> Mapping[str, Contact]:
        return {party: self._contacts[party] for party in parties if party in self._contacts}

    async def record(self, notifications: Sequence[Notification]) -> None:
        for notification in notifications:
            order_id, key = notification.order_id, notification_entry_key(notification)
            there = self._notices.get(order_id) or {}
            if key in there:
                continue
            self._notices.put(order_id, {**there, key: notification})
            if notification.status is NotificationStatus.PENDING:
                self._pending.put((order_id, key), None)

    def commit(self) -> None:
        self._parties.keep()
        self._notices.keep()
        self._pending.keep()


@frozen
class MemoryContacts:
    _contacts: dict[str, Contact]

    async def set(self, contact: Contact) -> None:
        if contact.email is None:
            self._contacts.pop(contact.party, None)
        else:
            self._contacts[contact.party] = contact

    async def get(self, party: str) -> Contact | None:
        return self._contacts.get(party)

    async def list(self) -> Sequence[Contact]:
        return [self._contacts[party] for party in sorted(self._contacts)]


@frozen
class MemoryNotifications:
    _notices: dict[str, Mapping[NotificationEntryKey, Notification]]
    _pending: dict[tuple[str, NotificationEntryKey], None]
    _lock: asyncio.Lock

    async def claim(
        self, channels: Collection[str], *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Notification]:
        async with self._lock:
            pending = (self._notices[order_id][key] for order_id, key in self._pending)
            found = [it for it in pending if due(it.due_at, now, until) and it.channel in channels]
            claimed = sorted(found, key=lambda it: (it.due_at, it.order_id, notification_entry_key(it)))[:limit]
            self._put([evolve(it, due_at=until) for it in claimed])
        return claimed

    async def keep(self, notifications: Sequence[Notification]) -> None:
        async with self._lock:
            self._put([it for it in notifications if self._takes(it)])

    async def replace(self, notifications: Sequence[Notification]) -> None:
        async with self._lock:
            self._put(notifications)

    def _takes(self, result: Notification) -> bool:
        stored = self._notices[result.order_id][notification_entry_key(result)]
        if result.status is NotificationStatus.SENT and stored.status is NotificationStatus.DROPPED:
            return stored.detail != ERASED
        return stored.status is NotificationStatus.PENDING

    def _put(self, notifications: Sequence[Notification]) -> None:
        for it in notifications:
            key = notification_entry_key(it)
            self._notices[it.order_id] = {**self._notices[it.order_id], key: it}
            if it.status is NotificationStatus.PENDING:
                self._pending[it.order_id, key] = None
            else:
                self._pending.pop((it.order_id, key), None)

    async def backlog(self) -> Backlog:
        pending = [self._notices[order_id][key].recorded_at for order_id, key in self._pending]
        failed = await self.list(NotificationStatus.FAILED, limit=len(self._notices) * 100)
        return Backlog(pending=len(pending), oldest=min(pending, default=None), failed=len(failed))

    async def list(self, status: NotificationStatus, *, limit: int) -> Sequence[Notification]:
        found = [it for notices in self._notices.values() for it in notices.values() if it.status is status]
        if status is NotificationStatus.PENDING:
            return sorted(found, key=lambda it: (it.due_at, it.order_id, it.sequence))[:limit]
        if status is NotificationStatus.FAILED:
            return sorted(found, key=lambda it: it.recorded_at, reverse=True)[:limit]
        return sorted(found, key=lambda it: (it.order_id, *notification_entry_key(it)), reverse=True)[:limit]

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[Notification]:
        return [
            notices[key]
            for order_id in sorted(order_ids)
            if (notices := self._notices.get(order_id)) is not None
            for key in sorted(notices)
        ]

    async def keys(self, order_ids: Collection[str]) -> Sequence[NotificationKey]:
        found = await self.of_orders(order_ids)
        return [NotificationKey(it.order_id, it.sequence, it.recipient, it.channel) for it in found]
