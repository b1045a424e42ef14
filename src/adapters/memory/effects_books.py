"""The books of one consumer transaction, staged over the dictionaries that they will be kept in."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from ...application.dead_letters import DeadLetter, ForeignLetter, LetterChange
from ...application.figures import OrderCourse
from ...application.notices import Contact, Notification, NotificationStatus, Parties
from ...application.stockroom import Food, Reservation
from .staging import Staged

NoticeKey = tuple[int, str, str]
"""Sequence, recipient and channel: what tells the notifications of one order apart."""


LetterKey = tuple[str, str, int]
"""Consumer, order and sequence: what tells letters apart."""


def letter_key(letter: DeadLetter) -> LetterKey:
    return letter.consumer, letter.record.order_id, letter.record.sequence


def notice_key(notification: Notification) -> NoticeKey:
    return notification.sequence, notification.recipient, notification.channel


@frozen
class MemoryNotificationBook:
    _contacts: Mapping[str, Contact]
    _parties: Staged[str, Parties]
    _notices: Staged[str, Mapping[NoticeKey, Notification]]
    _pending: Staged[tuple[str, NoticeKey], None]

    async def parties(self, order_ids: Collection[str]) -> Mapping[str, Parties]:
        return self._parties.among(order_ids)

    async def keep_parties(self, parties: Sequence[Parties]) -> None:
        for it in parties:
            self._parties.put(it.order_id, it)

    async def contacts(self, parties: Collection[str]) -> Mapping[str, Contact]:
        return {party: self._contacts[party] for party in parties if party in self._contacts}

    async def record(self, notifications: Sequence[Notification]) -> None:
        for notification in notifications:
            order_id, key = notification.order_id, notice_key(notification)
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
class MemoryAnalyticsBook:
    _courses: Staged[str, OrderCourse]

    async def courses(self, order_ids: Collection[str]) -> Mapping[str, OrderCourse]:
        return self._courses.among(order_ids)

    async def keep(self, courses: Sequence[OrderCourse]) -> None:
        for course in courses:
            self._courses.put(course.order_id, course)

    def commit(self) -> None:
        self._courses.keep()


@frozen
class MemoryReservationBook:
    _reservations: Staged[str, Reservation]
    _stock: Staged[Food, int]

    async def reservations(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        return self._reservations.among(order_ids)

    async def stock(self, foods: Collection[Food]) -> Mapping[Food, int]:
        return self._stock.among(foods)

    async def put_stock(self, quantities: Mapping[Food, int]) -> None:
        for food, quantity in quantities.items():
            self._stock.put(food, quantity)

    async def keep(self, reservations: Sequence[Reservation]) -> None:
        for reservation in reservations:
            self._reservations.put(reservation.order_id, reservation)

    def commit(self) -> None:
        self._reservations.keep()
        self._stock.keep()


@frozen
class MemoryDeadLetterBook:
    _consumer: str
    _letters: Staged[tuple[str, str], tuple[DeadLetter, ...]]
    _foreign: Staged[tuple[str, str, int, int], ForeignLetter]
    _to_copy: Staged[LetterKey, datetime]
    _changes: list[LetterChange]
    _noted: list[LetterChange] = field(factory=list, init=False)

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
        self._to_copy.drop(letter_key(letter))
        return not others

    async def copy_later(self, letters: Sequence[DeadLetter], at: datetime) -> None:
        for letter in letters:
            self._to_copy.put(letter_key(letter), at)

    async def note(self, change: LetterChange) -> None:
        self._noted.append(change)

    async def set_aside(self, letters: Sequence[ForeignLetter]) -> None:
        for letter in letters:
            at = letter.record
            place = (letter.consumer, at.topic, at.partition, at.offset)
            if self._foreign.get(place) is None:
                self._foreign.put(place, letter)

    def commit(self) -> None:
        self._letters.keep()
        self._foreign.keep()
        self._to_copy.keep()
        self._changes.extend(self._noted)

    def _without(self, letter: DeadLetter) -> list[DeadLetter]:
        there = self._letters.get((self._consumer, letter.record.order_id)) or ()
        return [it for it in there if it.record.sequence != letter.record.sequence]

    def _put(self, order_id: str, letters: Sequence[DeadLetter]) -> None:
        if letters:
            self._letters.put((self._consumer, order_id), tuple(letters))
        else:
            self._letters.drop((self._consumer, order_id))
