"""What the three consumers need from the world, as promises.

The books are the parts of one ConsumerWork: what they write commits with the cursors or not at all. The others stand
outside any such transaction; each of their calls is one of its own. All of them raise StorageUnavailable.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ..domain.lifecycle import Actor, OrderState, Role
from ..domain.order import Order
from .dead_letters import DeadLetter, ForeignLetter, LetterChange
from .figures import DeliveryTimes, MinuteSales, OrderCourse, RestaurantSales, StateTime
from .notices import Contact, Letter, Message, Notification, Parties, Receipt, Told
from .stockroom import Food, Reservation, StockItem


class NotificationBook(Protocol):
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


class AnalyticsBook(Protocol):
    async def courses(self, order_ids: Collection[str]) -> Mapping[str, OrderCourse]:
        """The courses of these orders so far, by order."""
        ...

    async def keep(self, courses: Sequence[OrderCourse]) -> None:
        """Keep these, each in place of what was known of its order."""
        ...


class ReservationBook(Protocol):
    async def reservations(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        """What was decided for each of these orders, by order."""
        ...

    async def stock(self, foods: Collection[Food]) -> Mapping[Food, int]:
        """What is left of those foods that are counted; nobody else changes them until this transaction ends."""
        ...

    async def put_stock(self, quantities: Mapping[Food, int]) -> None:
        """What is left now, of foods that ``stock`` told of in this transaction."""
        ...

    async def keep(self, reservations: Sequence[Reservation]) -> None:
        """Keep these, each in place of what was decided for its order."""
        ...


class DeadLetterBook(Protocol):
    """The dead letters of the consumer whose transaction this is. An order is parked while it has any."""

    async def parked(self, order_ids: Collection[str]) -> Collection[str]:
        """Those of these orders that are parked; none of them is unparked until this transaction ends."""
        ...

    async def first(self, order_id: str) -> DeadLetter | None:
        """The first letter of an order, by sequence; nobody else adds or removes one until this transaction ends."""
        ...

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Keep these, each in place of the one with its order and sequence; their orders are parked."""
        ...

    async def remove(self, letter: DeadLetter) -> bool:
        """Its event is handled, or given up. Whether that was the order's last letter: then it is parked no more."""
        ...

    async def copy_later(self, letters: Sequence[DeadLetter], at: datetime) -> None:
        """Have these copied to the topic for dead letters, from ``at`` on; not those that are removed before."""
        ...

    async def note(self, change: LetterChange) -> None:
        """Keep who did this, and why, for good."""
        ...

    async def set_aside(self, letters: Sequence[ForeignLetter]) -> None:
        """Keep these; one that is there already (by topic, partition and offset) stays as it is."""
        ...


class DeadLetters(Protocol):
    """Looking at what was set aside."""

    async def blocking(self, consumer: str | None = None, *, error: str | None = None) -> Sequence[DeadLetter]:
        """The first letter of every parked order, of one consumer or all; with ``error``, those of that class."""
        ...

    async def of_order(self, consumer: str, order_id: str) -> Sequence[DeadLetter]:
        """All letters of an order, by sequence."""
        ...

    async def waiting(self, consumer: str) -> Mapping[str, int]:
        """How many letters each parked order of ``consumer`` has, by order."""
        ...

    async def history(
        self, *, limit: int, consumer: str | None = None, order_id: str | None = None
    ) -> Sequence[LetterChange]:
        """What was done about letters, of one consumer or order or all, the latest first."""
        ...

    async def claim_copies(self, *, now: datetime, until: datetime, limit: int) -> Sequence[DeadLetter]:
        """Letters to be copied that are due by ``now``, each order's in sequence.

        Nobody else gets them before ``until``.
        """
        ...

    async def copied(self, letters: Sequence[DeadLetter]) -> None:
        """These are to be copied no more."""
        ...

    async def dropped(self, consumer: str) -> Mapping[str, Collection[int]]:
        """The sequences of the events that were given up for ``consumer``, by order."""
        ...

    async def parked(self) -> Mapping[str, int]:
        """How many orders each consumer has parked; one that has none is not named."""
        ...

    async def latest(self, limit: int) -> Sequence[DeadLetter]:
        """The letters of events that failed, not of those that wait behind them, the last failure first."""
        ...

    async def letters(self) -> Mapping[str, int]:
        """How many letters each consumer has; one that has none is not named."""
        ...

    async def foreign_records(self) -> Mapping[str, int]:
        """How many records each consumer has found that are none of ours; one that found none is not named."""
        ...

    async def foreign(self, consumer: str | None = None, *, limit: int = 100) -> Sequence[ForeignLetter]:
        """Records that are none of ours, by their place on the topic."""
        ...


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

    async def told(self, order_ids: Collection[str]) -> Sequence[Told]:
        """Those of ``of_orders`` without what was said, in the same order."""
        ...


class Wording(Protocol):
    def __call__(self, role: Role, values: Mapping[str, str], *, event_type: str) -> Letter:
        """What is said to somebody with ``role`` about an event with these values. Raises LookupError for none."""
        ...


class Stock(Protocol):
    """Quantities per restaurant and food. A food without one is not counted: there is always enough."""

    async def set(self, restaurant_id: str, food_id: str, quantity: int | None) -> None:
        """What may be ordered from now on; None: it is not counted any more. Raises InvalidInput."""
        ...

    async def get(self, restaurant_id: str, food_id: str) -> int | None: ...

    async def list(self, restaurant_id: str | None = None) -> Sequence[StockItem]:
        """By restaurant and food."""
        ...


class Shortages(Protocol):
    """What inventory decided for each order, and which orders are still to be cancelled for it."""

    async def unsettled(self, limit: int) -> Sequence[Reservation]:
        """Short orders without an outcome."""
        ...

    async def settle(self, order_id: str, outcome: str, at: datetime) -> None:
        """Note how the cancellation of a short order ended."""
        ...

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        """What was decided for these orders, by order."""
        ...


class CancelShort(Protocol):
    """The use-case CancelOrder, as inventory calls it."""

    async def __call__(self, order_id: str, reason: str, *, by: Actor) -> Order:
        """Raises CommandRefused, OrderNotFound, ConcurrentChange."""
        ...


class AnalyticsViews(Protocol):
    async def per_minute(self, start: datetime, end: datetime) -> Sequence[MinuteSales]:
        """Of the orders created from ``start`` until before ``end``, by minute and currency; idle minutes are left out.

        Both are taken down to their minute.
        """
        ...

    async def per_restaurant(self) -> Sequence[RestaurantSales]:
        """By restaurant and currency."""
        ...

    async def by_state(self) -> Mapping[OrderState, int]:
        """How many orders are in each state now; every state is named."""
        ...

    async def time_in_states(self) -> Sequence[StateTime]:
        """Of the states that some order has left, in the order of a life."""
        ...

    async def cancellations(self) -> Mapping[str, int]:
        """How many orders were cancelled by each reason, the most first."""
        ...

    async def delivery_times(self) -> DeliveryTimes: ...

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, OrderCourse]:
        """The courses of these orders so far, by order."""
        ...
