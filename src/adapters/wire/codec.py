"""The bytes of a record's value: envelopes and domain events, written and read."""

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
    """The value of the event's record: its envelope as JSON, amounts with their exact digits, times in UTC."""
    return write_envelope(_envelope(event))


def refuse_larger(event: OrderEvent, body: bytes, limit: int) -> None:
    """Raises EventTooLarge for a ``body`` of more than ``limit`` bytes."""
    if len(body) > limit:
        raise EventTooLarge(event.order_id, event.type, len(body), limit)


def decode(body: bytes, *, sequence: int) -> OrderEvent:
    """The event that ``body`` tells; its number within the order is not in the body. Raises UndecodableEvent."""
    envelope, data, at = _open(body)
    return _event(envelope, data, at, sequence)


def record(
    event: OrderEvent, *, bucket: int, position: int, correlation_id: str = "", traceparent: str = ""
) -> LogRecord:
    """The log's record of ``event`` at that address."""
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
    """The event of ``record``. Raises UndecodableEvent, also where the body contradicts what the record says."""
    envelope, data, at = _open(record.body)
    if envelope.order_id != record.order_id:
        raise _contradicted("orderId", envelope.order_id, record.order_id)
    if envelope.type != record.type:
        raise _contradicted("type", envelope.type, record.type)
    if envelope.id != record.event_id:
        raise _contradicted("id", envelope.id, record.event_id)
    return _event(envelope, data, at, record.sequence)


def read_envelope(body: bytes) -> Envelope:
    """What ``body`` says, in the contract's own words; unknown fields are passed over. Raises UndecodableEvent."""
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
    """The bytes of ``envelope``: no white space, the contract's order of fields; what is unset stays absent."""
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
    """The envelope, its data, and its time in UTC."""
    path = ""
    try:
        body.decode()  # msgspec passes over bytes that are no UTF-8 where it passes over a field.
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
    return UndecodableEvent(field, f"it is {body_says}", f"{record_says}, as the record says")
