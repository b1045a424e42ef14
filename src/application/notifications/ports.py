"""TODO."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...domain.actor import Role
from ..consuming.consumer import ConsumerTransaction
from .notification import Contact, Message, MessageText, Notification, NotificationKey, Parties, Receipt


class NotificationStore(Protocol):
    async def parties(self, order_ids: Collection[str]) -> Mapping[str, Parties]:
        """Who takes part in each of these orders that is known, by order."""
        ...

    async def keep_parties(self, parties: Sequence[Parties]) -> None:
        """Keep these, each in place of what was known of its order."""
        ...

    async def contacts(self, parties: Collection[str]) -> Mapping[str, Contact]:
        """How to reach these, of whom that is known, by party."""
        ...

    async def record(self, notifications: Sequence[Notification]) -> None:
        """Keep these; one that is there already (by event, recipient and channel) stays as it is."""
        ...


class NotificationTransaction(ConsumerTransaction, Protocol):
    """The transaction of the consumer *notifications*."""

    @property
    def notifications(self) -> NotificationStore: ...


class Contacts(Protocol):
    async def set(self, contact: Contact) -> None:
        """How to reach ``contact.party`` from now on; without any address, it is forgotten."""
        ...

    async def get(self, party: str) -> Contact | None: ...

    async def list(self) -> Sequence[Contact]:
        """By party."""
        ...


class Notifier(Protocol):
    """One channel to people, such as email."""

    @property
    def name(self) -> str: ...

    def address(self, party: str, contact: Contact | None) -> str | None:
        """Where this channel reaches ``party``; None where it does not."""
        ...

    async def send(self, message: Message) -> Receipt:
        """Hand ``message`` over. The receipt says whether it was accepted, or refused for good.

        Raises ChannelUnavailable: it may be sent again later, with the same key.
        """
        ...


class Notifications(Protocol):
    """What is to be told, and what became of it."""

    async def claim(
        self, channels: Collection[str], *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Notification]:
        """Pending ones of these channels that are due, the earliest first; nobody else gets them before ``until``."""
        ...

    async def keep(self, notifications: Sequence[Notification]) -> None:
        """Keep what became of these."""
        ...

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[Notification]:
        """All of these orders, by order, sequence, recipient and channel."""
        ...

    async def told(self, order_ids: Collection[str]) -> Sequence[NotificationKey]:
        """Those of ``of_orders`` without what was said, in the same order."""
        ...


class MessageTemplates(Protocol):
    def __call__(self, role: Role, values: Mapping[str, str], *, event_type: str) -> MessageText:
        """What is said to somebody with ``role`` about an event with these values. Raises LookupError for none."""
        ...
