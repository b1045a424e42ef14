"""The port of personal data: what is kept of persons apart from the events, which have only their ids."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from attrs import frozen

from ..event_log.records import Positions

ERASED_AT_ONCE = 200
"""Orders, or rows of another kind, that one transaction changes."""


class Kind(StrEnum):
    """The kinds of data that are forgotten, each after a time of its own."""

    ADDRESSES = "addresses"
    NOTIFICATIONS = "notifications"


@frozen
class ErasedOrders:
    """One step of an erasure: how much it changed, and the order that it ended with; None after the last step."""

    orders: int = 0
    notifications: int = 0
    responses: int = 0
    last: str | None = None


class PersonalData(Protocol):
    """Erases personal data. Every method is one short transaction, and may be repeated. Raises StorageUnavailable."""

    async def open_orders(self, customer_id: str) -> int:
        """Return how many orders of the customer are not in a final state."""
        ...

    async def erase_orders(self, customer_id: str, *, after: str) -> ErasedOrders:
        """Erase what the next final orders of the customer have apart from their events, in the order of their ids.

        These are address, card token and annotations with what they are found by, the address in stored responses, and
        address and text of the customer's notifications; those that were not sent are dropped.
        """
        ...

    async def erase_account(self, customer_id: str, *, at: datetime) -> None:
        """Delete the customer's contact and end the sessions. Revoke the customer's tokens and erase their labels."""
        ...

    async def forget_addresses(self, order_ids: Collection[str]) -> int:
        """Erase address, card token and annotations of these orders if they are final. Returns how many had any."""
        ...

    async def forget_notifications(self, events: Collection[tuple[str, int]]) -> int:
        """Erase address and text of the notifications of these events (order, sequence); drop those that were not sent.

        Returns how many had any.
        """
        ...

    async def delete_unrecognized(self, before: datetime) -> int:
        """Delete records of the topic that were no events and were found before then. They are still counted."""
        ...

    async def progress(self, kind: Kind) -> Positions:
        """Return the position in each bucket of the log up to which this kind is forgotten."""
        ...

    async def keep_progress(self, kind: Kind, positions: Positions) -> None: ...
