"""Encodes and decodes the value of a record: envelopes and domain events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from msgspec import UNSET, Raw
from msgspec.json import Decoder, Encoder
from msgspec.structs import fields, replace

from ...application.event_log.records import LogRecord
from ...domain.errors import EventTooLarge, UndecodableEvent
from ...domain.events import OrderEvent
from .envelope import DATA, CreatedData, Envelope, EnvelopeOf, EventData
from .fields import Time, decoder, plain_value, utc
from .problems import DECODING_ERRORS, contradictions, undecodable_event
from .translation import EnvelopeFields, data_of, event_of

_ENCODER = Encoder(decimal_format="number", enc_hook=plain_value)
_OUTER = decoder(EnvelopeOf[Raw])
_DATA: Mapping[str, Decoder[Any]] = {kind: decoder(data) for kind, data in DATA.items()}
_TIME_IN_DATA = {kind: next(it.name for it in fields(data) if it.type == Time) for kind, data in DATA.items()}
"""The field of each type's data that repeats the time of the event."""


def encode(event: OrderEvent) -> bytes:
    """Encode the event as its envelope in JSON, with exact amounts and times in UTC."""
    return write_envelope(_envelope(event))


def check_size(event: OrderEvent, body: bytes, limit: int) -> None:
    """Raise EventTooLarge if ``body`` has more than ``limit`` bytes."""
    if len(body) > limit:
        raise EventTooLarge(event.order_id, event.type, len(body), limit)


def decode(body: bytes, *, sequence: int) -> OrderEvent:
    """Decode the event in ``body``, which does not contain its ``sequence``. Raises UndecodableEvent."""
    envelope, data, at = _decode_envelope(body)
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
    envelope, data, at = _decode_envelope(record.body)
    if envelope.order_id != record.order_id:
        raise _contradiction("orderId", envelope.order_id, record.order_id)
    if envelope.type != record.type:
        raise _contradiction("type", envelope.type, record.type)
    if envelope.id != record.event_id:
        raise _contradiction("id", envelope.id, record.event_id)
    return _event(envelope, data, at, record.sequence)


def read_envelope(body: bytes) -> Envelope:
    """Decode the envelope in ``body``. Unknown fields are ignored. Raises UndecodableEvent."""
    envelope, data, _ = _decode_envelope(body)
    return cast("Envelope", replace(envelope, data=data))


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


def _decode_envelope(body: bytes) -> tuple[EnvelopeOf[Raw], EventData, datetime]:
    """Decode the envelope, its data, and its time in UTC."""
    path = ""
    try:
        body.decode()  # msgspec does not validate the UTF-8 of fields that it skips
        envelope = _OUTER.decode(body)
        path = "data"
        data: EventData = _DATA[envelope.type].decode(envelope.data)
        at = utc(envelope.occurred_at)
        utc(getattr(data, _TIME_IN_DATA[envelope.type]))
    except DECODING_ERRORS as error:
        raise undecodable_event(body, error, path) from error
    if isinstance(data, CreatedData):
        for problem in contradictions(data):
            raise problem.error()
    return envelope, data, at


def _event(envelope: EnvelopeOf[Raw], data: EventData, at: datetime, sequence: int) -> OrderEvent:
    customer = "" if envelope.user_id is UNSET else envelope.user_id
    common = EnvelopeFields(order_id=envelope.order_id, customer_id=customer, sequence=sequence, occurred_at=at)
    return event_of(data, common)


def _contradiction(field: str, in_body: str, in_record: str) -> UndecodableEvent:
    return UndecodableEvent(field, f"it is {in_body}", f"{in_record}, as in the record")
