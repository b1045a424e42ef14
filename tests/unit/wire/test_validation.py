"""Validation finds every problem of a record and its location."""

import json
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from orderflow.adapters import wire
from orderflow.application.event_log.records import BUCKETS, LogRecord, bucket_of

from tests.wire import ORDER_CREATED, ORDER_STATE_CHANGED
from tests.wire.any_event import cancelled, records

SOURCE = "/orderflow"
CANCELLED = cancelled(shipper_id="S1")
RECORD = wire.record(CANCELLED, bucket=bucket_of(CANCELLED.order_id), position=42)


def one_line(body: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(body) | fields).encode() + b"\n"


GOOD = [one_line(ORDER_CREATED), one_line(ORDER_STATE_CHANGED)]


def paths(problems: Iterable[wire.FieldProblem]) -> list[str]:
    return [problem.path for problem in problems]


@given(records)
def test_a_record_that_was_written_has_no_problem(record: LogRecord) -> None:
    headers = wire.headers(record, source=SOURCE)

    problems = wire.check_record(record.body, key=record.order_id.encode(), headers=[*headers])

    assert problems == []


def test_every_problem_of_a_record_is_found() -> None:
    body = b"""{"id": "a b", "type": "order.created", "orderId": "", "occurredAt": "2024", "version": "1.0", "data": {
        "restaurantId": 1, "totalPrice": "12", "createdAt": "noon",
        "orderDetails": [{"foodId": "f", "foodName": "", "price": -1, "quantity": 0}, 3, {"foodId": "g"}]}}"""

    problems = wire.check_record(body)

    assert paths(problems) == [
        "id",
        "orderId",
        "occurredAt",
        "data/restaurantId",
        "data/totalPrice",
        "data/orderDetails/0/foodName",
        "data/orderDetails/0/price",
        "data/orderDetails/0/quantity",
        "data/orderDetails/0/discount",
        "data/orderDetails/1",
        "data/orderDetails/2/foodName",
        "data/orderDetails/2/price",
        "data/orderDetails/2/quantity",
        "data/orderDetails/2/discount",
        "data/createdAt",
    ]


def test_every_amount_that_contradicts_the_others_is_found() -> None:
    value = json.loads(ORDER_CREATED)
    value["data"]["totalPrice"] = 1
    value["data"]["orderDetails"] += [{**value["data"]["orderDetails"][0], "discount": 25.01}]

    problems = wire.check_record(json.dumps(value).encode())

    assert paths(problems) == ["data/orderDetails/1/discount", "data/totalPrice"]


def test_a_problem_reads_as_a_sentence() -> None:
    body = one_line(ORDER_CREATED, version="2.0")

    problems = wire.check_record(body)

    assert [str(problem) for problem in problems] == ['version: it is "2.0"; allowed: 1.0']


def test_every_invalid_header_is_found() -> None:
    headers = [("position", b"0"), ("ce_type", b"\xff"), ("ce_specversion", b"0.3"), ("ce_source", b"")]

    problems = wire.check_record(RECORD.body, key=b"order-123", headers=headers)

    named = {path.removeprefix("headers/") for path in paths(problems)}
    assert named == {
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "content-type"),
        *("bucket", "position", "sequence"),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", b"another"),
        ("ce_type", b"order.delivered"),
        ("ce_subject", b"order-9"),
        ("ce_time", b"2024-01-01T12:00:01Z"),
    ],
)
def test_a_header_that_contradicts_the_body_is_found(name: str, value: bytes) -> None:
    headers = [*wire.headers(RECORD, source=SOURCE), (name, value)]

    problems = wire.check_record(RECORD.body, key=b"order-123", headers=headers)

    assert paths(problems) == [f"headers/{name}"]
    assert problems[0].allowed.endswith(", as in the body")


@pytest.mark.parametrize("key", [None, b"order-9", b"\xff"])
def test_a_record_of_the_topic_must_have_its_key(key: bytes | None) -> None:
    headers = wire.headers(RECORD, source=SOURCE)

    problems = wire.check_record(RECORD.body, key=key, headers=[*headers])

    assert paths(problems) == ["key"]


def test_the_key_is_compared_with_the_headers_if_the_body_cannot_be_read() -> None:
    headers = wire.headers(RECORD, source=SOURCE)

    problems = wire.check_record(b"{", key=b"order-9", headers=[*headers])

    assert paths(problems) == ["value", "key"]


def test_a_tombstone_is_a_problem() -> None:
    headers = wire.headers(RECORD, source=SOURCE)

    problems = wire.check_record(None, key=b"order-123", headers=[*headers])

    assert [(problem.path, problem.problem) for problem in problems] == [("value", "it is missing")]


def test_good_lines_are_counted_by_type() -> None:
    lines = [GOOD[0], b"\n", GOOD[1], GOOD[1].replace(b"\n", b"\r\n"), b"  \n"]

    report = wire.check_lines(lines, name="day.jsonl")

    assert report == wire.ValidationReport(3, Counter({"order.created": 1, "order.state_changed": 2}))


def test_an_invalid_line_is_reported_with_its_number() -> None:
    lines = [GOOD[0], b"\n", b"not json\n", GOOD[1], one_line(ORDER_CREATED, type="order.eaten", id="")]

    report = wire.check_lines(lines, name="day.jsonl")

    assert [(fault.where, paths(fault.problems)) for fault in report.faults] == [
        ("day.jsonl:3", ["value"]),
        ("day.jsonl:5", ["type", "id"]),
    ]
    assert (report.checked, report.by_type["unknown"]) == (4, 2)


def test_an_invalid_first_line_does_not_hide_the_others() -> None:
    lines = [b'{"id": \n', *GOOD]

    report = wire.check_lines(lines, name="day.jsonl")

    assert [fault.where for fault in report.faults] == ["day.jsonl:1"]
    assert report.checked == 3


def test_a_document_over_many_lines_is_one_record() -> None:
    lines = ORDER_CREATED.splitlines(keepends=True)

    report = wire.check_lines(lines, name="order_created.json")

    assert report == wire.ValidationReport(1, Counter({"order.created": 1}))


def test_a_problem_of_a_document_is_reported_with_its_name() -> None:
    lines = ORDER_CREATED.replace(b'"quantity": 2', b'"quantity": 0').splitlines(keepends=True)

    report = wire.check_lines(lines, name="order_created.json")

    assert [(fault.where, paths(fault.problems)) for fault in report.faults] == [
        ("order_created.json", ["data/orderDetails/0/quantity"])
    ]


def test_a_document_that_is_not_json_is_reported_with_the_line() -> None:
    lines = ORDER_CREATED.replace(b'"order-123",', b'"order-123"').splitlines(keepends=True)

    report = wire.check_lines(lines, name="order_created.json")

    assert [(fault.where, paths(fault.problems)) for fault in report.faults] == [("order_created.json:5", ["value"])]


@pytest.mark.parametrize("ends", [b"", b"\n"], ids=["on one line", "on many lines"])
def test_an_array_holds_a_record_an_element(ends: bytes) -> None:
    array = b"[" + ends + b",".join([ORDER_CREATED.replace(b"\n", b" "), b"12", GOOD[1].strip()]) + ends + b"]"

    report = wire.check_lines(array.splitlines(keepends=True), name="day.json")

    assert [(fault.where, paths(fault.problems)) for fault in report.faults] == [("day.json/1", ["value"])]
    assert report.checked == 3


@pytest.mark.parametrize("lines", [[], [b""], [b"\n", b"  \n"]])
def test_in_an_empty_file_nothing_is_checked(lines: list[bytes]) -> None:
    report = wire.check_lines(lines, name="empty.jsonl")

    assert report == wire.ValidationReport()


def test_of_many_invalid_records_the_first_are_listed_and_all_are_counted_by_field() -> None:
    bad = one_line(ORDER_CREATED, id="")

    report = wire.check_lines([GOOD[0], *[bad] * 2_500, b"not json\n"], name="day.jsonl")

    assert (report.checked, report.wrong) == (2_502, 2_501)
    assert report.by_field == {"id": 2_500, "value": 1}
    assert [fault.where for fault in report.faults] == [f"day.jsonl:{line}" for line in range(2, 1_002)]


def test_fields_whose_names_a_caller_chose_are_counted_together() -> None:
    report = wire.ValidationReport()

    for number in range(500):
        report.add("t/0@1", b"{}", [wire.FieldProblem(f"data/x{number}", "it is wrong", "another")] * 300)

    assert len(report.by_field) <= 101
    assert sum(report.by_field.values()) == 500 * 300
    assert max(len(fault.problems) for fault in report.faults) == 100


def test_a_bucket_of_another_order_is_a_problem() -> None:
    fits = bucket_of(RECORD.order_id)
    headers = wire.headers(RECORD._replace(bucket=(fits + 1) % BUCKETS), source=SOURCE)

    problems = wire.check_record(RECORD.body, key=RECORD.order_id.encode(), headers=[*headers])

    assert [(it.path, it.allowed) for it in problems] == [("headers/bucket", f"{fits}, the bucket of this order")]
