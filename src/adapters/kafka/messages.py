"""Converts Kafka's messages to records."""

from typing import Any

from confluent_kafka import Message

from ...application.event_log.records import LogRecord, UnrecognizedRecord
from ...domain.errors import UndecodableEvent
from .. import wire


def record_of(message: Message) -> LogRecord | UnrecognizedRecord:
    """Return the record in ``message``, or an UnrecognizedRecord with the problem if it is not an event."""
    key, value, headers = message.key(), message.value(), message.headers()
    pairs: Any = headers  # always a list of bytes; the declared text and dictionaries are for producing
    try:
        return wire.record_from(key=key, value=value, headers=pairs)
    except UndecodableEvent as error:
        return UnrecognizedRecord(
            topic=message.topic() or "",
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            key=key or b"",
            value=value or b"",
            headers=tuple((name, header or b"") for name, header in pairs or ()),
            problem=str(error),
        )


def consumed_record(message: Message) -> wire.ConsumedRecord:
    """Return ``message`` with its metadata, valid or not."""
    headers: Any = message.headers()  # as above
    return wire.ConsumedRecord(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=message.key(),
        value=message.value(),
        headers=tuple(headers or ()),
        at=wire.time_of(message.timestamp()[1]),
    )
