"""The ports of notifications: storing, sending and reading them, channels, and templates."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...domain.actor import Role
from ..backlog import Backlog
from ..consuming.consumer import ConsumerTransaction
from .notification import (
    Contact,
    Message,
    MessageText,
    Notification,
    NotificationKey,
    NotificationStatus,
    Parties,
    Receipt,
)


class NotificationStore(Protocol):
    """Keeps parties and notifications, in the consumer's transaction."""

    async def parties(self, order_ids: Collection[str]) -> Mapping[str, Parties]:
        """Return the parties of these orders, as far as they are stored, by order."""
        ...

    async def keep_parties(self, parties: Sequence[Parties]) -> None:
        """Store these, each in place of the earlier parties of its order."""
        ...

    async def contacts(self, parties: Collection[str]) -> Mapping[str, Contact]:
        """Return the contacts of these parties that have one, by party."""
        ...

    async def record(self, notifications: Sequence[Notification]) -> None:
        """Store these. One that is stored already (same event, recipient and channel) stays as it is."""
        ...


class NotificationTransaction(ConsumerTransaction, Protocol):
    """The transaction of the consumer *notifications*."""

    @property
    def notifications(self) -> NotificationStore: ...


class Notifier(Protocol):
    """Sends messages through one channel, such as email."""

    @property
    def name(self) -> str: ...

    def address(self, party: str, contact: Contact | None) -> str | None:
        """Return the address of ``party`` in this channel, None if it has none."""
        ...

    async def send(self, message: Message) -> Receipt:
        """Send ``message``, and return whether it was accepted or refused for good.

        Raises ChannelUnavailable: it is sent again later, with the same key, and until then no other message is sent.
        After any other error, such as TransientFailure, only this message waits.
        """
        ...


class Notifications(Protocol):
    """Reads the notifications, and stores the results of sending them."""

    async def claim(
        self, channels: Collection[str], *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Notification]:
        """Return pending notifications of these channels that are due, the earliest first.

        No other process gets them before ``until``. Nothing lawful is due long after that: a notification that is due
        after more than twice this time was stored by a wrong clock, and is returned, too.
        """
        ...

    async def keep(self, notifications: Sequence[Notification]) -> None:
        """Store the results of these, unless they are no longer pending because an operator dropped them.

        One that went out although it was dropped meanwhile is sent. One that was erased stays erased.
        """
        ...

    async def replace(self, notifications: Sequence[Notification]) -> None:
        """Store these as an operator changed them, whatever their status was."""
        ...

    async def backlog(self) -> Backlog:
        """Return what was not sent. The cost grows with that, not with what was sent."""
        ...

    async def list(self, status: NotificationStatus, *, limit: int) -> Sequence[Notification]:
        """Return notifications of that status: pending ones by due time, failed ones and others the latest first."""
        ...

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[Notification]:
        """Return all notifications of these orders, by order, sequence, recipient and channel."""
        ...

    async def keys(self, order_ids: Collection[str]) -> Sequence[NotificationKey]:
        """Return the keys of the notifications of these orders, in the same order as ``of_orders``."""
        ...


class Contacts(Protocol):
    """Reads contacts."""

    async def get(self, party: str) -> Contact | None: ...


class MessageTemplates(Protocol):
    """Renders messages."""

    def __call__(self, role: Role, values: Mapping[str, str], *, event_type: str) -> MessageText:
        """Return the message to a recipient with ``role`` about an event with these values. Raises LookupError."""
        ...
