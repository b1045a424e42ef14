"""Invalid events are refused, and the error names the invalid field."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orderflow.adapters import wire
from orderflow.domain.errors import UndecodableEvent
from orderflow.domain.events import OrderEvent

from tests.wire import ORDER_CREATED, ORDER_STATE_CHANGED
from tests.wire.any_event import events

MISSING = object()


def damaged(sample: bytes, path: str, value: object) -> bytes:
    """Return the sample with another value at ``path``, or without that field."""
    document: Any = json.loads(sample)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    parent = document
    for step in parents:
        parent = parent[step]
    if value is MISSING:
        del parent[last]
    else:
        parent[last] = value
    return json.dumps(document).encode()


def refusal(body: bytes) -> UndecodableEvent:
    with pytest.raises(UndecodableEvent) as refused:
        wire.decode(body, sequence=1)
    return refused.value


@pytest.mark.parametrize(
    "path",
    [
        "id",
        "type",
        "orderId",
        "occurredAt",
        "version",
        "data/restaurantId",
        "data/totalPrice",
        "data/orderDetails",
        "data/createdAt",
        "data/orderDetails/0/foodId",
        "data/orderDetails/0/foodName",
        "data/orderDetails/0/price",
        "data/orderDetails/0/quantity",
        "data/orderDetails/0/discount",
    ],
)
def test_a_missing_field_or_one_of_another_type_is_named(path: str) -> None:
    bodies = [damaged(ORDER_CREATED, path, value) for value in (MISSING, None, [], {})]

    named = [refusal(body).field for body in bodies]

    assert named == [path] * 4


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", ""),
        ("id", "two words"),
        ("orderId", "x" * 65),
        ("orderId", "order-123\n"),
        ("orderId", "bestellung-ä"),
        ("userId", None),
        ("userId", "a b"),
        ("data", None),
        ("data", []),
        ("data/restaurantId", ""),
        ("data/totalPrice", -0.01),
        ("data/totalPrice", "25.50"),
        ("data/totalPrice", True),
        ("data/totalPrice", 10**12),
        ("data/totalPrice", 10**400),
        ("data/totalPrice", 25.12345),
        ("data/currency", "EURO"),
        ("data/currency", "eur"),
        ("data/currency", None),
        ("data/orderDetails", []),
        ("data/orderDetails", [None]),
        ("data/orderDetails/0/price", "12,50"),
        ("data/orderDetails/0/price", -1),
        ("data/orderDetails/0/price", -0.01),
        ("data/orderDetails/0/quantity", 0),
        ("data/orderDetails/0/quantity", 1000),
        ("data/orderDetails/0/quantity", 1.5),
        ("data/orderDetails/0/quantity", "2"),
        ("data/orderDetails/0/quantity", True),
        ("data/orderDetails/0/foodName", ""),
        ("data/orderDetails/0/foodName", "x" * 201),
        ("data/orderDetails/0/foodName", "Pizza\x00"),
        ("data/createdAt", "yesterday"),
        ("data/createdAt", 1704110400),
        ("data/createdAt", "0001-01-01T00:00:00+14:00"),
        ("occurredAt", "2024-01-01T12:00:00"),
        ("occurredAt", "2024-02-30T12:00:00Z"),
        ("occurredAt", "9999-12-31T23:59:59-12:00"),
        ("version", 1.0),
    ],
)
def test_an_invalid_value_is_named_and_shown(path: str, value: object) -> None:
    body = damaged(ORDER_CREATED, path, value)

    error = refusal(body)

    assert error.field in (path, f"{path}/0")
    assert error.problem.startswith("it is ")
    assert error.allowed


@pytest.mark.parametrize("path", ["data/oldState", "data/newState"])
def test_an_unknown_state_is_refused_with_the_known_ones(path: str) -> None:
    body = damaged(ORDER_STATE_CHANGED, path, "lost")

    error = refusal(body)

    assert (error.field, error.problem) == (path, 'it is "lost"')
    assert error.allowed == "waiting_for_shipper, preparing, on_the_way, delivered, cancelled"


def test_an_unknown_type_is_refused_with_the_known_ones_before_all_else() -> None:
    body = damaged(damaged(ORDER_CREATED, "type", "order.eaten"), "id", "")

    error = refusal(body)

    assert (error.field, error.problem) == ("type", 'it is "order.eaten"')
    assert "order.created, order.shipper_assigned, order.state_changed" in error.allowed


def test_of_another_version_only_the_version_is_reported() -> None:
    body = damaged(damaged(ORDER_CREATED, "version", "2.0"), "orderId", MISSING)

    error = refusal(body)

    assert (error.field, error.problem, error.allowed) == ("version", 'it is "2.0"', "1.0")


def test_a_discount_above_its_line_is_refused() -> None:
    body = damaged(ORDER_CREATED, "data/orderDetails/0/discount", 26)

    error = refusal(body)

    assert (error.field, error.allowed) == ("data/orderDetails/0/discount", "0 to 25.0")


def test_a_total_below_its_lines_is_refused() -> None:
    body = damaged(ORDER_CREATED, "data/totalPrice", 24.99)

    error = refusal(body)

    assert (error.field, error.problem, error.allowed) == ("data/totalPrice", "it is 24.99", "at least the lines' 25.0")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "it is empty"),
        (b"[]", "it is an array"),
        (b' "order"', "it is text"),
        (b"null", "it is null"),
        (b"12", "it is a number"),
        (b"{", "Input data was truncated"),
        (b"{order}", "JSON is malformed: object keys must be strings (byte 1)"),
        (ORDER_CREATED.replace(b"25.50", b"NaN"), "JSON is malformed: invalid character (byte 195)"),
        (ORDER_CREATED + b"x", "JSON is malformed: trailing characters (byte 493)"),
        (ORDER_CREATED.replace(b"Pizza", b"\xff"), "byte 283 is not UTF-8"),
        (ORDER_CREATED.replace(b"{", b'{"unknown": "\xff",', 1), "byte 13 is not UTF-8"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused_as_a_whole(body: bytes, problem: str) -> None:
    error = refusal(body)

    assert (error.field, error.problem) == ("value", problem)


@pytest.mark.parametrize("number", [b"1e99999999", b"1e9999999999999999999999", b"9" * 5000, b"0." + b"9" * 5000])
def test_a_huge_number_is_refused_with_its_field(number: bytes) -> None:
    body = ORDER_CREATED.replace(b"25.50", number)

    error = refusal(body)

    assert error.field == "data/totalPrice"
    assert len(error.problem) < 100


@pytest.mark.parametrize(
    ("field", "twice"),
    [
        ("orderId", b'"orderId": 0, "orderId"'),
        ("data/totalPrice", b'"totalPrice": -1, "totalPrice"'),
        ("data/orderDetails/0/quantity", b'"quantity": 0, "quantity"'),
    ],
)
def test_a_repeated_field_that_is_invalid_once_is_named(field: str, twice: bytes) -> None:
    body = ORDER_CREATED.replace(b'"%s"' % field.rpartition("/")[2].encode(), twice)

    error = refusal(body)

    assert (error.field, error.allowed) == (field, "a valid value, and each field only once")
    assert [problem.path for problem in wire.check_record(body)] == [field]


@pytest.mark.parametrize("line", [[], {}, 1])
def test_a_list_of_too_many_lines_is_one_problem_however_many_are_wrong(line: object) -> None:
    body = damaged(ORDER_CREATED, "data/orderDetails", [line] * 101)

    problems = wire.check_record(body)

    assert [str(problem) for problem in problems] == [
        "data/orderDetails: it is an array of 101 elements; allowed: an array of 1 to 100 objects"
    ]


@pytest.mark.parametrize("value", ["x" * 100_000, "9" * 100_000])
@pytest.mark.parametrize("path", ["id", "type", "version", "occurredAt", "data/oldState", "data/updatedBy"])
def test_a_huge_value_is_shown_by_its_beginning(path: str, value: str) -> None:
    body = damaged(ORDER_STATE_CHANGED, path, value)

    problems = wire.check_record(body)

    assert [problem.path for problem in problems] == [path]
    assert len(str(problems[0])) < 300


def test_a_huge_value_of_a_repeated_field_is_shown_by_its_beginning() -> None:
    body = ORDER_STATE_CHANGED.replace(b'"oldState"', b'"oldState": "%s", "oldState"' % (b"x" * 100_000))

    error = refusal(body)

    assert error.field == "data/oldState"
    assert len(str(error)) < 300


@given(st.binary(max_size=300))
def test_no_bytes_raise_another_error(body: bytes) -> None:
    with suppress(UndecodableEvent):
        wire.decode(body, sequence=1)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=5,
)


@st.composite
def damaged_events(draw: st.DrawFn) -> bytes:
    """Draw an event with any field replaced by any JSON value, and perhaps a few bytes overwritten."""
    document: Any = json.loads(wire.encode(draw(events())))
    parent = document
    while True:
        step = draw(st.sampled_from(sorted(parent)) if isinstance(parent, dict) else st.integers(0, len(parent) - 1))
        if not isinstance(parent[step], dict | list) or draw(st.booleans()):
            break
        parent = parent[step]
    parent[step] = draw(ANY_JSON)
    body = json.dumps(document).encode("utf-8", "surrogatepass")
    at, noise = draw(st.integers(0, len(body))), draw(st.binary(max_size=3))
    return body[:at] + noise + body[at + len(noise) :]


@given(damaged_events())
def test_a_damaged_event_is_read_or_refused_and_nothing_else(body: bytes) -> None:
    with suppress(UndecodableEvent):
        assert isinstance(wire.decode(body, sequence=1), OrderEvent)


@given(damaged_events())
def test_what_is_refused_is_what_checking_finds(body: bytes) -> None:
    refused = []
    try:
        wire.decode(body, sequence=1)
    except UndecodableEvent as error:
        refused.append(str(error))

    problems = wire.check_record(body)

    assert [str(problem) for problem in problems[:1]] == refused
