"""What the consumers keep, as it is seen and settled outside of their transactions."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from attrs import evolve, frozen

from ...application.dead_letters import DeadLetter, ForeignLetter, LetterChange, Outcome
from ...application.figures import (
    DeliveryTimes,
    MinuteSales,
    OrderCourse,
    RestaurantSales,
    StateTime,
    delivery_times,
    minute_of,
    state_time,
)
from ...application.notices import Contact, Notification, NotificationStatus, Told
from ...application.stockroom import Food, Reservation, ReservationStatus, StockItem, check_stock
from ...domain.lifecycle import OrderState
from ...domain.money import total_of
from .effects_books import LetterKey, NoticeKey, letter_key, notice_key

K = TypeVar("K", datetime, str)


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
    _notices: dict[str, Mapping[NoticeKey, Notification]]
    _pending: dict[tuple[str, NoticeKey], None]
    _lock: asyncio.Lock

    async def claim(
        self, channels: Collection[str], *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Notification]:
        async with self._lock:
            pending = (self._notices[order_id][key] for order_id, key in self._pending)
            due = [it for it in pending if it.due_at <= now and it.channel in channels]
            claimed = sorted(due, key=lambda it: (it.due_at, it.order_id, notice_key(it)))[:limit]
            self._put([evolve(it, due_at=until) for it in claimed])
        return claimed

    async def keep(self, notifications: Sequence[Notification]) -> None:
        async with self._lock:
            self._put(notifications)

    def _put(self, notifications: Sequence[Notification]) -> None:
        for it in notifications:
            key = notice_key(it)
            self._notices[it.order_id] = {**self._notices[it.order_id], key: it}
            if it.status is not NotificationStatus.PENDING:
                self._pending.pop((it.order_id, key), None)

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[Notification]:
        return [
            notices[key]
            for order_id in sorted(order_ids)
            if (notices := self._notices.get(order_id)) is not None
            for key in sorted(notices)
        ]

    async def told(self, order_ids: Collection[str]) -> Sequence[Told]:
        found = await self.of_orders(order_ids)
        return [Told(it.order_id, it.sequence, it.recipient, it.channel) for it in found]


@frozen
class MemoryStock:
    _stock: dict[Food, int]
    _lock: asyncio.Lock

    async def set(self, restaurant_id: str, food_id: str, quantity: int | None) -> None:
        check_stock(restaurant_id, food_id, quantity)
        async with self._lock:
            if quantity is None:
                self._stock.pop((restaurant_id, food_id), None)
            else:
                self._stock[restaurant_id, food_id] = quantity

    async def get(self, restaurant_id: str, food_id: str) -> int | None:
        return self._stock.get((restaurant_id, food_id))

    async def list(self, restaurant_id: str | None = None) -> Sequence[StockItem]:
        return [
            StockItem(restaurant_id=at, food_id=food_id, quantity=quantity)
            for (at, food_id), quantity in sorted(self._stock.items())
            if restaurant_id in (None, at)
        ]


@frozen
class MemoryShortages:
    _reservations: dict[str, Reservation]
    _lock: asyncio.Lock

    async def unsettled(self, limit: int) -> Sequence[Reservation]:
        short = (it for it in self._reservations.values() if it.status is ReservationStatus.SHORT and not it.outcome)
        return sorted(short, key=lambda it: it.order_id)[:limit]

    async def settle(self, order_id: str, outcome: str, at: datetime) -> None:
        async with self._lock:
            self._reservations[order_id] = evolve(self._reservations[order_id], outcome=outcome, settled_at=at)

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        return {order_id: self._reservations[order_id] for order_id in order_ids if order_id in self._reservations}


@frozen
class MemoryDeadLetters:
    _letters: dict[tuple[str, str], tuple[DeadLetter, ...]]
    _foreign: dict[tuple[str, str, int, int], ForeignLetter]
    _to_copy: dict[LetterKey, datetime]
    _changes: list[LetterChange]
    _lock: asyncio.Lock

    async def blocking(self, consumer: str | None = None, *, error: str | None = None) -> Sequence[DeadLetter]:
        firsts = (letters[0] for _, letters in sorted(self._letters.items()))
        return [it for it in firsts if consumer in (None, it.consumer) and error in (None, it.error)]

    async def of_order(self, consumer: str, order_id: str) -> Sequence[DeadLetter]:
        return self._letters.get((consumer, order_id), ())

    async def waiting(self, consumer: str) -> Mapping[str, int]:
        return {order_id: len(letters) for (of, order_id), letters in self._letters.items() if of == consumer}

    async def history(
        self, *, limit: int, consumer: str | None = None, order_id: str | None = None
    ) -> Sequence[LetterChange]:
        latest = reversed(self._changes)
        return [it for it in latest if consumer in (None, it.consumer) and order_id in (None, it.order_id)][:limit]

    async def claim_copies(self, *, now: datetime, until: datetime, limit: int) -> Sequence[DeadLetter]:
        async with self._lock:
            claimed = [key for key, due in sorted(self._to_copy.items()) if due <= now][:limit]
            self._to_copy.update(dict.fromkeys(claimed, until))
            letters = {letter_key(it): it for key in claimed for it in self._letters.get(key[:2], ())}
        return [letters[key] for key in claimed]

    async def copied(self, letters: Sequence[DeadLetter]) -> None:
        async with self._lock:
            for letter in letters:
                self._to_copy.pop(letter_key(letter), None)

    async def dropped(self, consumer: str) -> Mapping[str, Collection[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for it in self._changes:
            if it.consumer == consumer and it.outcome is Outcome.DROPPED:
                found[it.order_id].add(it.sequence)
        return found

    async def parked(self) -> Mapping[str, int]:
        return Counter(consumer for consumer, _ in self._letters)

    async def letters(self) -> Mapping[str, int]:
        return Counter(consumer for (consumer, _), letters in self._letters.items() for _ in letters)

    async def foreign_records(self) -> Mapping[str, int]:
        return Counter(consumer for consumer, *_ in self._foreign)

    async def latest(self, limit: int) -> Sequence[DeadLetter]:
        failed = [it for letters in self._letters.values() for it in letters if it.error]
        return sorted(failed, key=lambda it: it.last_failed_at, reverse=True)[:limit]

    async def foreign(self, consumer: str | None = None, *, limit: int = 100) -> Sequence[ForeignLetter]:
        letters = (self._foreign[place] for place in sorted(self._foreign))
        return [it for it in letters if consumer in (None, it.consumer)][:limit]


@frozen
class MemoryAnalyticsViews:
    _courses: dict[str, OrderCourse]

    async def per_minute(self, start: datetime, end: datetime) -> Sequence[MinuteSales]:
        first, last = minute_of(start), minute_of(end)
        sold = _grouped((minute_of(it.created_at), it) for it in self._courses.values())
        return [
            MinuteSales(minute=minute, **_sums(currency, courses))
            for (minute, currency), courses in sold
            if first <= minute < last
        ]

    async def per_restaurant(self) -> Sequence[RestaurantSales]:
        sold = _grouped((it.restaurant_id, it) for it in self._courses.values())
        return [
            RestaurantSales(restaurant_id=restaurant_id, **_sums(currency, courses))
            for (restaurant_id, currency), courses in sold
        ]

    async def by_state(self) -> Mapping[OrderState, int]:
        counted = Counter(it.state for it in self._courses.values())
        return {state: counted[state] for state in OrderState}

    async def time_in_states(self) -> Sequence[StateTime]:
        total: dict[OrderState, timedelta] = defaultdict(timedelta)
        seconds: dict[OrderState, Counter[int]] = defaultdict(Counter)
        for course in self._courses.values():
            for state, spent in course.spent.items():
                total[state] += spent
                seconds[state][spent // timedelta(seconds=1)] += 1
        return [state_time(state, total[state], seconds[state]) for state in OrderState if state in total]

    async def cancellations(self) -> Mapping[str, int]:
        counted = Counter(it.cancel_reason for it in self._courses.values() if it.cancel_reason is not None)
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    async def delivery_times(self) -> DeliveryTimes:
        taken = (it.delivery_minutes for it in self._courses.values())
        return delivery_times(Counter(minutes for minutes in taken if minutes is not None))

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, OrderCourse]:
        return {order_id: self._courses[order_id] for order_id in order_ids if order_id in self._courses}


def _grouped(courses: Iterable[tuple[K, OrderCourse]]) -> list[tuple[tuple[K, str], list[OrderCourse]]]:
    """The courses by key and currency, in that order."""
    groups: dict[tuple[K, str], list[OrderCourse]] = defaultdict(list)
    for key, course in courses:
        groups[key, course.total.currency].append(course)
    return [(key, groups[key]) for key in sorted(groups)]


def _sums(currency: str, courses: Sequence[OrderCourse]) -> dict[str, Any]:
    kept = [course for course in courses if course.state is not OrderState.CANCELLED]
    return {
        "currency": currency,
        "orders": len(courses),
        "cancelled": len(courses) - len(kept),
        "gross_revenue": total_of((course.total for course in courses), currency).amount,
        "net_revenue": total_of((course.total for course in kept), currency).amount,
    }
