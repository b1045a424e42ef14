"""Notifications, their recipients, and their status."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid5

from attrs import evolve, field, frozen

from ...domain.actor import Actor, Role
from ...domain.events import event_id
from ...domain.text import counted, storable
from .addresses import address

ATTEMPTS = 300
"""Attempts before a notification has failed; with the pauses between them, they take about a day."""
MAX_DETAIL = 2000
"""Characters that are kept of a channel's answer."""


@frozen(kw_only=True)
class Contact:
    """The addresses of a party (``customer:C1``). ``email`` is None if it has none. Raises InvalidInput."""

    party: str
    email: str | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        Actor.parse(self.party)
        if self.email is not None:
            object.__setattr__(self, "email", address(self.email))

    @classmethod
    def stored(cls, party: str, email: str | None) -> "Contact":
        """Return a contact as it was set, also if it is no address by the rules of this release."""
        contact = object.__new__(cls)
        object.__setattr__(contact, "party", party)
        object.__setattr__(contact, "email", email)
        return contact


@frozen(kw_only=True)
class Parties:
    """The parties of an order after its event number ``sequence``."""

    order_id: str
    customer_id: str
    restaurant_id: str
    shipper_id: str | None = None
    sequence: int = 1

    def party(self, role: Role) -> str | None:
        """Return ``role:id``, or None while the order has no party with that role."""
        ids = {Role.CUSTOMER: self.customer_id, Role.RESTAURANT: self.restaurant_id, Role.SHIPPER: self.shipper_id}
        return None if ids[role] is None else f"{role}:{ids[role]}"


@frozen
class MessageText:
    """A rendered message: its subject, and its text."""

    subject: str
    text: str


@frozen(kw_only=True)
class Message:
    """A message to ``address``. ``key`` is its idempotency key, which never changes."""

    key: str
    recipient: str
    address: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    order_id: str
    sequence: int
    event_type: str


@frozen
class Receipt:
    """The answer of a channel: ``accepted``, or refused for good. ``detail`` is its text."""

    accepted: bool
    detail: str = ""


class NotificationStatus(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    DROPPED = "dropped"


REFUND = "refund"
"""The awaited event of a notification of a refund: the gateway's response."""


ERASED = "erased"
"""The detail of a notification whose address, subject and text were erased."""


NO_CHANNEL = "none"
"""The channel of a notification whose recipient has no address."""


class NotificationKey(NamedTuple):
    """The key of a notification; no two have the same. It is a tuple because checks read many of them."""

    order_id: str
    sequence: int
    recipient: str
    channel: str


@frozen(kw_only=True)
class Notification:
    """A notification of one recipient about one event through one channel; there is never a second one.

    ``recipient`` is a party, ``attempts`` counts the finished attempts, ``due_at`` is when the next may begin, and
    ``detail`` is the result of the last. ``awaits`` is REFUND until the refund that it is about was answered.
    ``correlation_id`` and ``traceparent`` are the event's.
    """

    order_id: str
    sequence: int
    recipient: str
    channel: str
    event_type: str
    address: str = field(default="", repr=False)
    subject: str = ""
    text: str = field(default="", repr=False)
    status: NotificationStatus = NotificationStatus.PENDING
    attempts: int = 0
    recorded_at: datetime
    due_at: datetime
    sent_at: datetime | None = None
    detail: str = ""
    correlation_id: str = field(default="", repr=False)
    traceparent: str = field(default="", repr=False)
    awaits: str = ""

    @property
    def key(self) -> str:
        """The UUIDv5 of the event and the recipient, so it is the same at each attempt."""
        return str(uuid5(UUID(event_id(self.order_id, self.sequence)), self.recipient))

    @property
    def message(self) -> Message:
        return Message(
            key=self.key,
            recipient=self.recipient,
            address=self.address,
            subject=self.subject,
            text=self.text,
            order_id=self.order_id,
            sequence=self.sequence,
            event_type=self.event_type,
        )

    def settled(self, receipt: Receipt, at: datetime) -> "Notification":
        """Return it with the result of ``receipt``."""
        return evolve(
            self,
            status=NotificationStatus.SENT if receipt.accepted else NotificationStatus.FAILED,
            attempts=self.attempts + 1,
            sent_at=at if receipt.accepted else None,
            detail=storable(receipt.detail, at_most=MAX_DETAIL),
        )

    def postponed(self, due_at: datetime, problem: str, *, at_most: int) -> "Notification":
        """Return it after a failed attempt, due again at ``due_at``; failed after ``at_most`` attempts."""
        attempts = self.attempts + 1
        problem = storable(problem, at_most=MAX_DETAIL)
        if attempts >= at_most:
            detail = f"given up after {counted(attempts, 'attempt')}: {problem}"
            return evolve(self, status=NotificationStatus.FAILED, attempts=attempts, detail=detail)
        return evolve(self, attempts=attempts, due_at=due_at, detail=problem)

    def answered(self, message: MessageText) -> "Notification":
        """Return it with the text for the answer that it awaited."""
        return evolve(self, awaits="", subject=message.subject, text=message.text)
