"""Encodes and decodes the value of a record: envelopes and domain events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import UNSET, Raw
from msgspec.json import Decoder, Encoder

from ...application.event_log.records import LogRecord
from ...domain.errors import EventTooLarge, UndecodableEvent
from ...domain.events import OrderEvent
from .envelope import DATA, CreatedData, Envelope, EnvelopeOf, EventData
from .fields import decoder, utc
from .problems import UNREADABLE, contradictions, undecodable
from .translation import Common, data_of, event_of, occurred_at_of

_ENCODER = Encoder(decimal_format="number")
_OUTER = decoder(EnvelopeOf[Raw])
_DATA: Mapping[str, Decoder[Any]] = {kind: decoder(data) for kind, data in DATA.items()}


def encode(event: OrderEvent) -> bytes:
    """Encode the event as its envelope in JSON, with exact amounts and times in UTC."""
    return write_envelope(_envelope(event))


def refuse_larger(event: OrderEvent, body: bytes, limit: int) -> None:
    """Raise EventTooLarge if ``body`` has more than ``limit`` bytes."""
    if len(body) > limit:
        raise EventTooLarge(event.order_id, event.type, len(body), limit)


def decode(body: bytes, *, sequence: int) -> OrderEvent:
    """Decode the event in ``body``, which does not contain its ``sequence``. Raises UndecodableEvent."""
    envelope, data, at = _open(body)
    return _event(envelope, data, at, sequence)


def record(
    event: OrderEvent, *, bucket: int, position: int, correlation_id: str = "", traceparent: str = ""
) -> LogRecord:
    """Build the log's record of ``event`` at this address."""
    envelope = _envelope(event)
    return LogRecord(
        bucket=bucket,
        position=position,
        order_id=event.order_id,
        sequence=event.sequence,
        type=event.type,
        event_id=envelope.id,
        occurred_at=envelope.occurred_at,
        body=write_envelope(envelope),
        correlation_id=correlation_id,
        traceparent=traceparent,
    )


def decode_record(record: LogRecord) -> OrderEvent:
    """Decode the event of ``record``. Raises UndecodableEvent, also if body and record contradict each other."""
    envelope, data, at = _open(record.body)
    if envelope.order_id != record.order_id:
        raise _contradicted("orderId", envelope.order_id, record.order_id)
    if envelope.type != record.type:
        raise _contradicted("type", envelope.type, record.type)
    if envelope.id != record.event_id:
        raise _contradicted("id", envelope.id, record.event_id)
    return _event(envelope, data, at, record.sequence)


def read_envelope(body: bytes) -> Envelope:
    """Decode the envelope in ``body``. Unknown fields are ignored. Raises UndecodableEvent."""
    envelope, data, _ = _open(body)
    return EnvelopeOf(
        id=envelope.id,
        type=envelope.type,
        order_id=envelope.order_id,
        user_id=envelope.user_id,
        data=data,
        occurred_at=envelope.occurred_at,
        version=envelope.version,
    )


def write_envelope(envelope: Envelope) -> bytes:
    """Encode ``envelope`` without white space, fields in the contract's order. Unset fields are absent."""
    return _ENCODER.encode(envelope)


def _envelope(event: OrderEvent) -> Envelope:
    kind, data = data_of(event)
    return EnvelopeOf(
        id=event.id,
        type=kind,
        order_id=event.order_id,
        user_id=event.customer_id,
        data=data,
        occurred_at=utc(event.occurred_at),
        version="1.0",
    )


def _open(body: bytes) -> tuple[EnvelopeOf[Raw], EventData, datetime]:
    """Decode the envelope, its data, and its time in UTC."""
    path = ""
    try:
        body.decode()  # msgspec does not validate the UTF-8 of fields that it skips
        envelope = _OUTER.decode(body)
        path = "data"
        data: EventData = _DATA[envelope.type].decode(envelope.data)
        at = utc(envelope.occurred_at)
        utc(occurred_at_of(data))
    except UNREADABLE as error:
        raise undecodable(body, error, path) from error
    if isinstance(data, CreatedData):
        for problem in contradictions(data):
            raise problem.error()
    return envelope, data, at


def _event(envelope: EnvelopeOf[Raw], data: EventData, at: datetime, sequence: int) -> OrderEvent:
    customer = "" if envelope.user_id is UNSET else envelope.user_id
    said = Common(order_id=envelope.order_id, customer_id=customer, sequence=sequence, occurred_at=at)
    return event_of(data, said)


def _contradicted(field: str, body_says: str, record_says: str) -> UndecodableEvent:
    return UndecodableEvent(field, f"it is {body_says}", f"{record_says}, as in the record")
