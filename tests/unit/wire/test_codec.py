"""Events are encoded to the published format and decoded from it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import get_args

import pytest
from attrs import evolve
from hypothesis import given
from orderflow.adapters import wire
from orderflow.adapters.wire.envelope import DATA, EventType
from orderflow.application.event_log.records import LogRecord
from orderflow.domain.errors import InvalidInput, UndecodableEvent
from orderflow.domain.events import EVENT_TYPES, OrderCancelled, OrderCreated, OrderEvent
from orderflow.domain.money import Money

from tests.wire import ORDER_CREATED, ORDER_STATE_CHANGED
from tests.wire.any_event import AN_HOUR, cancelled, events, records


def minified(text: bytes) -> bytes:
    """Remove the white space between the tokens of a JSON text, and keep that within strings."""
    kept = bytearray()
    in_text = False
    for char in text:
        in_text ^= char == ord('"')
        if in_text or not chr(char).isspace():
            kept.append(char)
    return bytes(kept)


def changed(body: bytes, **fields: object) -> bytes:
    """Return the envelope with these fields changed, or removed if the value is None."""
    document = json.loads(body, parse_float=Decimal) | fields
    return json.dumps({name: value for name, value in document.items() if value is not None}, default=float).encode()


@pytest.mark.parametrize("sample", [ORDER_CREATED, ORDER_STATE_CHANGED], ids=["created", "state changed"])
def test_a_published_sample_is_encoded_again_to_the_same_json(sample: bytes) -> None:
    envelope = wire.read_envelope(sample)

    written = wire.write_envelope(envelope)

    assert written == minified(sample)


@given(events())
def test_an_event_is_read_back_as_it_was_written_to_the_last_digit(event: OrderEvent) -> None:
    body = wire.encode(event)

    read = wire.decode(body, sequence=event.sequence)

    assert repr(read) == repr(event)


@given(events())
def test_an_envelope_is_written_again_to_the_same_bytes(event: OrderEvent) -> None:
    body = wire.encode(event)

    again = wire.write_envelope(wire.read_envelope(body))

    assert again == body


def test_the_envelope_has_the_fields_of_the_contract_in_their_order() -> None:
    event = cancelled(shipper_id="S1")

    document = json.loads(wire.encode(event))

    assert list(document) == ["id", "type", "orderId", "userId", "data", "occurredAt", "version"]
    assert document["id"] == event.id
    assert (document["type"], document["orderId"], document["userId"]) == ("order.cancelled", "order-123", "user-456")
    assert (document["occurredAt"], document["version"]) == ("2024-01-01T12:00:00Z", "1.0")


def test_the_contract_has_the_domains_events() -> None:
    in_the_domain = {event.type for event in EVENT_TYPES}

    on_the_wire = set(get_args(EventType))

    assert on_the_wire == in_the_domain == set(DATA)


def test_unknown_fields_are_ignored() -> None:
    document = json.loads(ORDER_STATE_CHANGED)
    document["data"]["kitchen"] = {"temperature": [1.5, None]}
    document["mood"] = "good"

    event = wire.decode(json.dumps(document).encode(), sequence=2)

    assert event == wire.decode(ORDER_STATE_CHANGED, sequence=2)


def test_an_absent_customer_stays_absent() -> None:
    body = changed(ORDER_STATE_CHANGED, userId=None)

    written = wire.write_envelope(wire.read_envelope(body))

    assert b"userId" not in written
    assert wire.decode(body, sequence=2).customer_id == ""


def test_an_absent_currency_is_no_currency() -> None:
    event = wire.decode(ORDER_CREATED, sequence=1)

    written = json.loads(wire.encode(event))

    assert isinstance(event, OrderCreated)
    assert event.total == Money(Decimal("25.50"), "XXX")
    assert "currency" not in written["data"]


def test_a_known_currency_is_written() -> None:
    event = wire.decode(ORDER_CREATED, sequence=1)
    assert isinstance(event, OrderCreated)
    euros = tuple(evolve(line, price=Money("12.50", "EUR"), discount=Money("0", "EUR")) for line in event.lines)

    written = json.loads(wire.encode(evolve(event, total=Money("25.50", "EUR"), lines=euros)))

    assert written["data"]["currency"] == "EUR"


def test_amounts_stay_exact_in_an_application_that_rounds_its_own() -> None:
    body = ORDER_CREATED.replace(b'"quantity": 2', b'"quantity": 3').replace(b"25.50", b"37.50")

    with localcontext(prec=2):
        written = wire.encode(wire.decode(body, sequence=1))

    assert b'"totalPrice":37.50' in written


@pytest.mark.parametrize(("shipper_id", "expected"), [("S1", {"shipperId": "S1"}), (None, {})])
def test_a_cancellation_names_the_shipper_that_had_been_assigned(
    shipper_id: str | None, expected: dict[str, str]
) -> None:
    event = cancelled(shipper_id=shipper_id)

    body = wire.encode(event)

    data = json.loads(body)["data"]
    assert {name: data[name] for name in data if name == "shipperId"} == expected
    assert wire.decode(body, sequence=4) == event


def test_times_are_written_in_utc() -> None:
    in_kathmandu = AN_HOUR.astimezone(timezone(timedelta(hours=5, minutes=45)))

    document = json.loads(wire.encode(evolve(cancelled(shipper_id=None), occurred_at=in_kathmandu)))

    assert document["occurredAt"] == document["data"]["cancelledAt"] == "2024-01-01T12:00:00Z"


def test_times_of_another_zone_are_read_as_utc() -> None:
    body = changed(ORDER_STATE_CHANGED, occurredAt="2024-01-01T17:50:00.25+05:45")

    event = wire.decode(body, sequence=2)

    assert event.occurred_at == datetime(2024, 1, 1, 12, 5, 0, 250_000, tzinfo=UTC)
    assert event.occurred_at.tzinfo is UTC


def test_a_time_without_a_zone_is_not_written() -> None:
    event = evolve(cancelled(shipper_id=None), occurred_at=datetime(2024, 1, 1))  # noqa: DTZ001

    with pytest.raises(InvalidInput, match="has no zone"):
        wire.encode(event)


def test_an_event_of_another_application_is_not_part_of_the_contract() -> None:
    event = OrderEvent(order_id="o", customer_id="c", sequence=1, occurred_at=AN_HOUR)

    with pytest.raises(TypeError, match="OrderEvent is not part of the contract"):
        wire.encode(event)


@given(records)
def test_a_record_carries_its_event(record: LogRecord) -> None:
    event = wire.decode_record(record)

    again = wire.record(
        event,
        bucket=record.bucket,
        position=record.position,
        correlation_id=record.correlation_id,
        traceparent=record.traceparent,
    )

    assert again == record


@pytest.mark.parametrize(
    ("in_record", "field"),
    [
        ({"order_id": "order-9"}, "orderId"),
        ({"type": "order.delivered"}, "type"),
        ({"event_id": "e1"}, "id"),
    ],
)
def test_a_body_that_contradicts_its_record_is_refused(in_record: dict[str, str], field: str) -> None:
    record = wire.record(cancelled(shipper_id=None), bucket=0, position=1)

    with pytest.raises(UndecodableEvent) as refused:
        wire.decode_record(record._replace(**in_record))

    assert refused.value.field == field
    assert next(iter(in_record.values())) in refused.value.allowed


def test_the_event_of_a_record_is_numbered_by_the_record() -> None:
    record = wire.record(cancelled(shipper_id=None), bucket=0, position=1)

    event = wire.decode_record(record._replace(sequence=17))

    assert isinstance(event, OrderCancelled)
    assert event.sequence == 17
