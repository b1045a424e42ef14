"""Headers are written for a record and read back."""

import re
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orderflow.adapters import wire
from orderflow.adapters.wire.headers import HeaderValues
from orderflow.application.event_log.records import LogRecord
from orderflow.domain.errors import UndecodableEvent

from tests.wire.any_event import cancelled, records

_headers = import_module("orderflow.adapters.wire.headers")  # the package has a function of that name
RECORD = wire.record(
    cancelled(shipper_id="S1"), bucket=165, position=42, correlation_id="request-1", traceparent="00-4bf92f-00f067-01"
)
SOURCE = "/kitchens/berlin"


def with_header(name: str, value: bytes | None) -> list[tuple[str, bytes | None]]:
    """Return the record's headers with this one changed, or removed if the value is None."""
    kept: list[tuple[str, bytes | None]] = [h for h in wire.headers(RECORD, source=SOURCE) if h[0] != name]
    return kept if value is None else [*kept, (name, value)]


def test_the_headers_are_those_of_the_contract() -> None:
    record = RECORD

    headers = wire.headers(record, source=SOURCE)

    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": record.event_id.encode(),
        "ce_source": b"/kitchens/berlin",
        "ce_type": b"order.cancelled",
        "ce_subject": b"order-123",
        "ce_time": b"2024-01-01T12:00:00Z",
        "content-type": b"application/json",
        "bucket": b"165",
        "position": b"42",
        "sequence": b"4",
        "epoch": b"1",
        "correlation-id": b"request-1",
        "traceparent": b"00-4bf92f-00f067-01",
    }


def test_an_absent_value_has_no_header() -> None:
    record = RECORD._replace(correlation_id="", traceparent="")

    headers = wire.headers(record, source=SOURCE)

    assert {"correlation-id", "traceparent"}.isdisjoint(dict(headers))


@given(records)
def test_a_record_is_read_back_from_its_headers_key_and_value(record: LogRecord) -> None:
    headers = wire.headers(record, source=SOURCE)

    again = wire.record_from(key=record.order_id.encode(), value=record.body, headers=[*headers])

    assert again == record


NEARLY = st.one_of(
    st.sampled_from([b"1", b"01", b"165", b"0", b"9" * 18, b"9" * 19, b"order.created", b"order-123", b"order-123\n"]),
    st.sampled_from([b"2024-01-01T12:00:00+02:00", b"2024-01-01T12:00:00", b"", b" ", b"\xff", b"a\nb", b"1000000"]),
    st.text("aZ09 \n~\x7f\u00e9", max_size=70).map(str.encode),
    st.none(),
)
NAMES = st.sampled_from([name for name, _ in wire.headers(RECORD, source=SOURCE)])


@given(
    changed=st.lists(st.tuples(NAMES, NEARLY), max_size=3),
    missing=st.sets(NAMES, max_size=2),
    key=st.sampled_from([b"order-123", b"order-9", None]),
)
def test_checking_all_headers_at_once_finds_what_checking_each_does(
    changed: list[tuple[str, bytes | None]], missing: set[str], key: bytes | None
) -> None:
    headers = [*(h for h in wire.headers(RECORD, source=SOURCE) if h[0] not in missing), *changed]

    def outcome() -> LogRecord | str:
        try:
            return wire.record_from(key=key, value=RECORD.body, headers=headers)
        except UndecodableEvent as error:
            return str(error)

    at_once = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_headers, "_usual", _unusual)
        assert at_once == outcome()


def _unusual(_key: bytes | None, _body: bytes, _values: HeaderValues) -> None:
    """Return None, as for a record whose headers are to be checked one by one."""


def test_unknown_headers_are_ignored() -> None:
    headers = [("mirrored-from", None), *wire.headers(RECORD, source=SOURCE), ("x-proxy", b"\xff")]

    again = wire.record_from(key=b"order-123", value=RECORD.body, headers=headers)

    assert again == RECORD


@pytest.mark.parametrize("name", ["bucket", "position", "sequence", "ce_id", "ce_type", "ce_subject", "ce_time"])
def test_a_missing_header_is_named(name: str) -> None:
    headers = with_header(name, None)

    with pytest.raises(UndecodableEvent) as refused:
        wire.record_from(key=b"order-123", value=RECORD.body, headers=headers)

    assert (refused.value.field, refused.value.problem) == (f"headers/{name}", "it is missing")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bucket", b"-1"),
        ("bucket", b""),
        ("bucket", b"256"),
        ("bucket", b"40000"),
        ("bucket", b"164"),
        ("epoch", b"0"),
        ("epoch", b"1000000"),
        ("epoch", b"9" * 18),
        ("position", b"0"),
        ("position", b"4.2"),
        ("position", b"+4"),
        ("position", b"4_2"),
        ("position", b" 4"),
        ("position", "٤".encode()),
        ("position", b"9" * 19),
        ("sequence", b"first"),
        ("sequence", b"1000000000"),
        ("ce_id", b""),
        ("ce_id", b"a b"),
        ("ce_id", b"\xff"),
        ("ce_type", b"order.eaten"),
        ("ce_subject", b"order-123\n"),
        ("ce_time", b"noon"),
        ("ce_time", b"2024-01-01T12:00:00"),
        ("ce_time", b'"'),
        ("ce_time", b"\xff"),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("correlation-id", b"\xff"),
        ("correlation-id", b"\0"),
        ("correlation-id", b"a" * 201),
        ("traceparent", b"\xff"),
        ("traceparent", b"a\nb"),
    ],
)
def test_an_invalid_header_is_named_and_shown(name: str, value: bytes) -> None:
    headers = with_header(name, value)

    with pytest.raises(UndecodableEvent, match=f"^headers/{re.escape(name)}: it is '.*'; allowed: ."):
        wire.record_from(key=b"order-123", value=RECORD.body, headers=headers)


def test_a_source_that_is_too_long_is_refused_with_the_length_that_is_allowed() -> None:
    [problem] = [
        it
        for it in import_module("orderflow.adapters.wire.headers").header_problems([("ce_source", b"a" * 201)])
        if it.path == "headers/ce_source"
    ]

    assert "at most 200 characters" in problem.allowed


@pytest.mark.parametrize("headers", [None, []])
def test_a_record_without_headers_is_refused(headers: list[tuple[str, bytes]] | None) -> None:
    with pytest.raises(UndecodableEvent, match=r"^headers/\w+: it is missing"):
        wire.record_from(key=b"order-123", value=RECORD.body, headers=headers)


@pytest.mark.parametrize(("key", "problem"), [(None, "it is missing"), (b"order-9", "it is 'order-9'")])
def test_a_key_that_is_not_the_orders_id_is_refused(key: bytes | None, problem: str) -> None:
    headers = wire.headers(RECORD, source=SOURCE)

    with pytest.raises(UndecodableEvent) as refused:
        wire.record_from(key=key, value=RECORD.body, headers=[*headers])

    assert (refused.value.field, refused.value.problem) == ("key", problem)
    assert "order-123" in refused.value.allowed


def test_a_tombstone_is_refused() -> None:
    headers = wire.headers(RECORD, source=SOURCE)

    with pytest.raises(UndecodableEvent, match=r"^value: it is missing"):
        wire.record_from(key=b"order-123", value=None, headers=[*headers])
