"""Kafka's messages as records of the log."""

from typing import Any

from confluent_kafka import Message

from ...application.event_log.records import LogRecord, UnrecognizedRecord
from ...domain.errors import UndecodableEvent
from .. import wire


def record_of(message: Message) -> LogRecord | UnrecognizedRecord:
    """The record that ``message`` carries; Foreign, with the problem, when it is none of ours."""
    key, value, headers = message.key(), message.value(), message.headers()
    pairs: Any = headers  # bytes they are, and in a list: text and dictionaries are for sending
    try:
        return wire.record_from(key=key, value=value, headers=pairs)
    except UndecodableEvent as error:
        return UnrecognizedRecord(
            topic=message.topic() or "",
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            key=key or b"",
            value=value or b"",
            headers=tuple((name, said or b"") for name, said in pairs or ()),
            problem=str(error),
        )


def consumed_record(message: Message) -> wire.ConsumedRecord:
    """``message`` as it stands on the topic, whatever it carries."""
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
