"""Converts Kafka's messages to records, whatever they contain."""

from collections.abc import Callable
from operator import methodcaller
from typing import Any

from confluent_kafka import Message

from ...application.event_log.records import LogRecord, UnrecognizedRecord
from ...application.recovery.skip_record import Places
from ...domain.errors import UndecodableEvent
from .. import wire
from ..wire.headers import Headers

KEPT_BYTES = 1_000
"""Bytes that are kept of the key, the value, and the headers of a record that is not an event."""
_SKIPPED = UndecodableEvent("record", "an operator has skipped it", "`orderflow maintenance` shows who and why")
_UNREADABLE = UndecodableEvent("headers", "a name is not UTF-8", "names in UTF-8")


_checked_headers: Callable[[Message], Any] = methodcaller("headers")
"""Calls Message.headers() and checks for an exception.

If a name is not UTF-8, the client returns headers with an invalid pointer as the name, and leaves an exception pending.
Python's specialized instruction for a frequent ``message.headers()`` does not check for that; a ``methodcaller`` does.
"""


def headers_of(message: Message) -> Headers | None:
    """Return the headers of ``message``, or None if a name is not UTF-8. It is called once for each message."""
    try:
        headers: Headers | None = _checked_headers(message)
    except (SystemError, UnicodeDecodeError):  # SystemError from UnicodeDecodeError
        return None
    return headers or ()


def record_of(message: Message, skipped: Places = ()) -> LogRecord | UnrecognizedRecord:
    """Return the record in ``message``, or an UnrecognizedRecord with the problem if it is not an event.

    Also one of the ``skipped`` records is returned as unrecognized.
    """
    key, value, headers = message.key(), message.value(), headers_of(message)
    is_skipped = bool(skipped) and (message.partition(), message.offset()) in skipped
    try:
        if is_skipped:
            raise _SKIPPED
        if headers is None:
            raise _UNREADABLE
        return wire.record_from(key=key, value=value, headers=headers)
    except UndecodableEvent as error:
        return UnrecognizedRecord(
            topic=message.topic() or "",
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            key=(key or b"")[:KEPT_BYTES],
            value=(value or b"")[:KEPT_BYTES],
            headers=_kept_headers(headers or ()),
            problem=str(error),
            skipped=is_skipped,
        )


def consumed_record(message: Message) -> wire.ConsumedRecord:
    """Return ``message`` with its metadata, valid or not."""
    return wire.ConsumedRecord(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=message.key(),
        value=message.value(),
        headers=tuple(headers_of(message) or ()),
        at=wire.time_of(message.timestamp()[1]),
    )


def _kept_headers(headers: Headers) -> tuple[tuple[str, bytes], ...]:
    """Return the first headers, as many as fit in KEPT_BYTES; the one that does not fit is cut."""
    kept, room = [], KEPT_BYTES
    for name, value in headers:
        if room <= 0:
            break
        kept.append((name[:room], (value or b"")[: max(0, room - len(name))]))
        room -= len(name) + len(value or b"") + 1
    return tuple(kept)
