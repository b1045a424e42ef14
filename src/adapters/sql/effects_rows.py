"""What the consumers keep, and the rows that keep it."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import timedelta
from operator import attrgetter
from typing import Any

from attrs import asdict, fields_dict

from ...application.dead_letters import DeadLetter, ForeignLetter, LetterChange, Outcome
from ...application.figures import OrderCourse, minute_of
from ...application.log import Foreign, LogRecord, Origin
from ...application.notices import Notification, NotificationStatus, Parties
from ...application.rollout import Word
from ...application.stockroom import Reservation, ReservationStatus
from ...domain.lifecycle import OrderState
from ...domain.money import Money

Row = Mapping[Any, Any]
_US = timedelta(microseconds=1)
SPENT = {state: f"{state}_us" for state in OrderState if not state.terminal}
"""The column with the time spent in each state that can be left."""
_RECORD = tuple(name for name in LogRecord._fields if name != "epoch")
_ORIGIN = tuple(fields_dict(Origin))
_NOTIFICATION = tuple(fields_dict(Notification))
_values_of_notification = attrgetter(*_NOTIFICATION)


def row_of_parties(it: Parties) -> dict[str, Any]:
    return asdict(it, recurse=False)


def row_of_notification(it: Notification) -> dict[str, Any]:
    row = dict(zip(_NOTIFICATION, _values_of_notification(it), strict=True))
    row["status"] = it.status.value
    return row


def row_of_outcome(it: Notification) -> dict[str, Any]:
    """What may change of a notification, with its key."""
    return {
        "order_id": it.order_id,
        "sequence": it.sequence,
        "recipient": it.recipient,
        "channel": it.channel,
        "status": it.status.value,
        "attempts": it.attempts,
        "due_at": it.due_at,
        "sent_at": it.sent_at,
        "detail": it.detail,
    }


def notification_of(row: Row) -> Notification:
    return Notification(**{**row, "status": NotificationStatus(row["status"])})


def row_of_course(it: OrderCourse) -> dict[str, Any]:
    return {
        "order_id": it.order_id,
        "restaurant_id": it.restaurant_id,
        "total": it.total.amount,
        "total_e4": int(it.total.amount.scaleb(4)),
        "currency": it.total.currency,
        "state": it.state.value,
        "since": it.since,
        "created_at": it.created_at,
        "created_minute": int(minute_of(it.created_at).timestamp()) // 60,
        **{name: None if (spent := it.spent.get(state)) is None else spent // _US for state, name in SPENT.items()},
        "cancel_reason": it.cancel_reason,
        "delivery_minutes": it.delivery_minutes,
        "events": it.events,
    }


def course_of(row: Row) -> OrderCourse:
    return OrderCourse(
        order_id=row["order_id"],
        restaurant_id=row["restaurant_id"],
        total=Money(row["total"], row["currency"]),
        created_at=row["created_at"],
        state=OrderState(row["state"]),
        since=row["since"],
        spent={state: row[name] * _US for state, name in SPENT.items() if row[name] is not None},
        cancel_reason=row["cancel_reason"],
        delivery_minutes=row["delivery_minutes"],
        events=row["events"],
    )


def row_of_reservation(it: Reservation) -> dict[str, Any]:
    return {
        "order_id": it.order_id,
        "restaurant_id": it.restaurant_id,
        "status": it.status.value,
        "taken": dict(it.taken),
        "missing": list(it.missing),
        "outcome": it.outcome,
        "settled_at": it.settled_at,
        "correlation_id": it.correlation_id,
        "traceparent": it.traceparent,
    }


def reservation_of(row: Row) -> Reservation:
    return Reservation(**{**row, "status": ReservationStatus(row["status"]), "missing": tuple(row["missing"])})


def row_of_letter(it: DeadLetter) -> dict[str, Any]:
    return {
        **it.record._asdict(),
        **{name: None if it.origin is None else getattr(it.origin, name) for name in _ORIGIN},
        **{name: value for name, value in asdict(it, recurse=False).items() if name not in ("record", "origin")},
        **{name: _storable(value) for name, value in (("message", it.message), ("trace", it.trace))},
    }


def letter_of(row: Row) -> DeadLetter:
    record = LogRecord(**{name: row[name] for name in _RECORD})
    origin = None if row["topic"] is None else Origin(**{name: row[name] for name in _ORIGIN})
    rest = {name: row[name] for name in row if name not in _RECORD + _ORIGIN}
    return DeadLetter(record=record, origin=origin, **rest)


def row_of_change(it: LetterChange) -> dict[str, Any]:
    rest = {name: value for name, value in asdict(it, recurse=False).items() if name != "word"}
    return {**asdict(it.word), **rest, "outcome": it.outcome.value}


def change_of(row: Row) -> LetterChange:
    rest = {name: row[name] for name in row if name not in ("entry", "by", "why", "at", "outcome")}
    word = Word(by=row["by"], why=row["why"], at=row["at"])
    return LetterChange(word=word, outcome=Outcome(row["outcome"]), **rest)


def row_of_foreign(it: ForeignLetter) -> dict[str, Any]:
    return {
        **asdict(it.record, recurse=False),
        "headers": [[name, b64encode(value).decode()] for name, value in it.record.headers],
        "problem": _storable(it.record.problem),
        "consumer": it.consumer,
        "found_at": it.found_at,
    }


def foreign_of(row: Row) -> ForeignLetter:
    names = set(fields_dict(Foreign)) - {"headers"}
    headers = tuple((name, b64decode(value)) for name, value in row["headers"])
    record = Foreign(headers=headers, **{name: row[name] for name in names})
    return ForeignLetter(consumer=row["consumer"], record=record, found_at=row["found_at"])


def _storable(text: str) -> str:
    """``text`` without what PostgreSQL keeps in no text: NUL and lone surrogates."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
