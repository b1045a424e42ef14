"""No record, whatever its key, value, headers, numbers and timestamps, fails the way from a message to an event."""

from contextlib import suppress
from datetime import datetime

import pytest
from confluent_kafka import Message
from hypothesis import example, given
from hypothesis import strategies as st
from orderflow.adapters import wire
from orderflow.adapters.kafka.messages import KEPT_BYTES, consumed_record, record_of
from orderflow.adapters.wire import TopicQuality
from orderflow.application.event_log.records import BUCKETS, LogRecord, UnrecognizedRecord, bucket_of
from orderflow.domain.errors import UndecodableEvent

from tests.wire.any_event import cancelled, records

OURS = wire.record(cancelled(shipper_id="S1"), bucket=bucket_of("order-123"), position=42, correlation_id="request-1")
HEADERS: tuple[tuple[str, bytes | None], ...] = tuple(wire.headers(OURS, source="/orderflow"))
INT_64 = st.integers(-(2**63), 2**63 - 1)

numbers = st.one_of(st.integers(-(10**20), 10**20), st.sampled_from([0, 255, 256, 40_000, 2**15, 2**31, 2**63]))
header_values = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    numbers.map(lambda number: str(number).encode()),
    st.datetimes().map(lambda time: time.isoformat().encode()),
    st.sampled_from([b"\0", b"a" * 5_000, "\u0664".encode(), b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:60Z"]),
)
header_names = st.one_of(st.sampled_from([name for name, _ in HEADERS]), st.text(max_size=20))


@st.composite
def _messages(draw: st.DrawFn) -> Message:
    """A record of ours in which key, value, headers and timestamp may each be replaced by anything."""
    record = draw(st.one_of(st.just(OURS), records))
    headers: list[tuple[str, bytes | None]] = [*wire.headers(record, source="/orderflow")]
    changed = draw(st.lists(st.tuples(header_names, header_values), max_size=3))
    dropped = draw(st.sets(st.sampled_from([name for name, _ in HEADERS]), max_size=2))
    return Message(
        topic="order-events",
        partition=1,
        offset=7,
        key=draw(st.one_of(st.just(record.order_id.encode()), st.none(), st.binary(max_size=40))),
        value=draw(st.one_of(st.just(record.body), st.none(), st.binary(max_size=60), json_values())),
        headers=[*(header for header in headers if header[0] not in dropped), *changed],
        timestamp=(1, draw(INT_64)),
    )


def json_values() -> st.SearchStrategy[bytes]:
    return st.sampled_from(
        [b"[" * 100_000, b'{"id":"' + b"x" * 20_000 + b'"}', b'{"data":1e999999999}', b"\xff\xfe", b'"\\ud800"', b"{}"]
    )


@example(Message(topic="t", partition=0, offset=0, key=b"k", value=b"v", headers=None, timestamp=(0, -1)))
@example(Message(topic="t", partition=0, offset=0, headers=[("ce_subject", None)], timestamp=(1, 2**63 - 1)))
@given(_messages())
def test_every_message_is_an_event_of_ours_or_is_set_aside_within_bounds(message: Message) -> None:
    record = record_of(message)

    if isinstance(record, UnrecognizedRecord):
        assert record.problem
        assert len(record.problem) < KEPT_BYTES
        assert len(record.key) <= KEPT_BYTES
        assert len(record.value) <= KEPT_BYTES
        assert sum(len(name) + len(value) for name, value in record.headers) <= KEPT_BYTES
    else:
        assert record.bucket == bucket_of(record.order_id, BUCKETS)
        assert 1 <= record.position < 2**63
        assert 1 <= record.sequence < 2**31
        assert 1 <= record.epoch < 2**31
        assert "\0" not in record.correlation_id + record.traceparent
        with suppress(UndecodableEvent):
            wire.decode_record(record)


@given(_messages())
def test_every_message_can_be_judged(message: Message) -> None:
    quality = TopicQuality(from_beginning=True)

    quality.inspect(consumed_record(message))

    assert quality.checked == 1
    wire.summary(quality)


@pytest.mark.parametrize("milliseconds", [-(2**63), -1, 0, 2**62, 2**63 - 1])
def test_every_timestamp_is_a_time(milliseconds: int) -> None:
    message = Message(topic="t", partition=0, offset=0, timestamp=(1, milliseconds))

    assert isinstance(consumed_record(message).at, datetime)


def test_a_record_of_ours_is_read_unchanged() -> None:
    message = Message(topic="t", partition=0, offset=0, key=b"order-123", value=OURS.body, headers=list(HEADERS))

    assert isinstance(record_of(message), LogRecord)
    assert record_of(message) == OURS


def test_much_and_large_is_cut_to_what_is_kept() -> None:
    headers = [(f"n{number}", b"x" * 300) for number in range(10_000)]
    message = Message(topic="t", partition=0, offset=0, key=b"k" * 5_000, value=b"v" * 500_000, headers=headers)

    record = record_of(message)

    assert isinstance(record, UnrecognizedRecord)
    assert (len(record.key), len(record.value)) == (KEPT_BYTES, KEPT_BYTES)
    assert sum(len(name) + len(value) for name, value in record.headers) <= KEPT_BYTES
