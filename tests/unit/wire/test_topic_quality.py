"""Topic quality counts valid records and reports invalid ones, in bounded memory."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from orderflow.adapters import wire
from orderflow.adapters.telemetry.metrics.topic_quality import TOPIC_CATALOGUE, TopicMetrics
from orderflow.adapters.wire import ConsumedRecord, TopicQuality
from orderflow.application.event_log.records import bucket_of
from orderflow.domain.events import OrderEvent

from tests.integration.kafka.relay_program import life
from tests.support.pages import TREE

CREATED, ASSIGNED, PREPARING, CANCELLED = range(4)
"""Indexes into ``life``. Its last event is illegal, because no change of state precedes it."""


def record_of(
    event: OrderEvent, *, after: float = 0.1, offset: int | None = None, epoch: int = 1, **body: Any
) -> ConsumedRecord:
    """Return the record of ``event``, written ``after`` seconds later. ``body`` replaces fields of its envelope."""
    record = wire.record(event, bucket=bucket_of(event.order_id), position=event.sequence)
    value = json.dumps({**json.loads(record.body), **body}).encode() if body else record.body
    return ConsumedRecord(
        topic="order-events",
        partition=1,
        offset=event.sequence if offset is None else offset,
        key=record.order_id.encode(),
        value=value,
        headers=wire.headers(record, source="/orderflow", epoch=epoch),
        at=event.occurred_at + timedelta(seconds=after),
    )


def inspected(records: Sequence[ConsumedRecord], **settings: Any) -> TopicQuality:
    quality = TopicQuality(**{"from_beginning": True, **settings})
    for each in records:
        quality.inspect(each)
    return quality


def kinds(quality: TopicQuality) -> list[tuple[str, int]]:
    """Return the kind and the offset of each violation."""
    return [(violation.kind, violation.offset) for violation in quality.violations]


def test_good_records_are_counted_by_type_and_version_with_their_sizes() -> None:
    given = [record_of(event) for number in (1, 2) for event in life(number)[:CANCELLED]]

    found = wire.summary(inspected(given))

    assert (found["checked"], found["wrong"], found["ordersFollowed"]) == (6, 0, 2)
    assert found["records"] == [
        {"type": kind, "version": "1.0", "records": 2}
        for kind in ("order.created", "order.shipper_assigned", "order.state_changed")
    ]
    largest = max(len(each.value or b"") for each in given)
    assert found["bytes"]["order.created"]["largest"] == largest  # type: ignore[index]


def test_a_fault_is_counted_by_its_field_and_shown_with_its_location() -> None:
    lines = [{"foodId": "F1", "foodName": "Pho", "price": "dear", "quantity": 1, "discount": 0}]
    data = {**json.loads(wire.encode(life(1)[CREATED]))["data"], "orderDetails": lines}

    quality = inspected([record_of(life(1)[CREATED], offset=17, data=data)])

    (violation,) = quality.violations
    assert (violation.topic, violation.partition, violation.offset, violation.kind) == ("order-events", 1, 17, "fault")
    assert violation.field == "data/orderDetails/0/price"
    assert dict(quality.faults) == {"data/orderDetails/*/price": 1}


def test_bytes_that_are_no_event_are_of_no_known_type() -> None:
    quality = inspected([evolve(record_of(life(1)[CREATED]), value=b"hello")])

    assert dict(quality.records) == {("unknown", "unknown"): 1}
    assert quality.wrong == 1


def test_another_version_is_counted_as_such() -> None:
    quality = inspected([record_of(life(1)[CREATED], version="2.0")])

    assert dict(quality.records) == {("order.created", "2.0"): 1}
    assert dict(quality.faults) == {"version": 1}


@pytest.mark.parametrize(
    ("sequence", "contradiction"),
    [
        ([CREATED, PREPARING], "gap"),
        ([ASSIGNED], "gap"),
        ([CREATED, CREATED], "regression"),
        ([CREATED, ASSIGNED, PREPARING, ASSIGNED], "regression"),
    ],
)
def test_a_gap_or_a_repetition_in_an_order_is_a_contradiction(sequence: list[int], contradiction: str) -> None:
    events = life(1)

    quality = inspected([record_of(events[place], offset=offset) for offset, place in enumerate(sequence)])

    assert kinds(quality) == [(contradiction, len(sequence) - 1)]
    assert quality.contradicting_orders == 1


def test_an_event_repeated_in_a_later_epoch_is_no_contradiction() -> None:
    events = life(1)
    before = [record_of(events[place]) for place in (CREATED, ASSIGNED, PREPARING)]
    again = [record_of(events[place], epoch=2) for place in (ASSIGNED, PREPARING)]

    quality = inspected([*before, *again])

    assert (quality.contradictions, quality.wrong) == ({}, 0)


def test_an_event_that_is_not_valid_in_its_state_is_a_contradiction() -> None:
    events = life(1)
    early = evolve(events[CANCELLED], sequence=2)

    quality = inspected([record_of(events[CREATED]), record_of(early)])

    assert kinds(quality) == [("illegal", 2)]
    assert "order.cancelled while waiting_for_shipper" in quality.violations[0].problem


def test_an_order_that_contradicts_itself_twice_is_one_order() -> None:
    events = life(1)

    quality = inspected([record_of(events[place]) for place in (CREATED, CREATED, ASSIGNED, ASSIGNED)])

    assert (quality.contradictions["regression"], quality.contradicting_orders) == (2, 1)


def test_a_topic_read_from_the_middle_may_start_with_any_event_of_an_order() -> None:
    events = life(1)

    quality = inspected([record_of(events[place]) for place in (ASSIGNED, PREPARING)], from_beginning=False)

    assert quality.wrong == 0


def test_transitions_are_checked_also_from_the_middle_of_an_order() -> None:
    events = life(1)
    back = evolve(events[PREPARING], sequence=4)

    quality = inspected([record_of(events[PREPARING]), record_of(back)], from_beginning=False)

    assert kinds(quality) == [("illegal", 4)]


def test_a_late_record_is_counted_and_is_not_wrong() -> None:
    quality = inspected([record_of(life(1)[CREATED], after=400)])

    assert (quality.late_records, quality.wrong) == (1, 0)
    assert quality.latest_seconds == 400


def test_an_event_from_the_future_is_wrong() -> None:
    quality = inspected([record_of(life(1)[CREATED], after=-60)])

    assert (quality.future_records, kinds(quality)) == (1, [("future", 1)])


def test_clocks_may_disagree_a_little() -> None:
    quality = inspected([record_of(life(1)[CREATED], after=-4)])

    assert (quality.future_records, quality.wrong) == (0, 0)


def test_records_that_were_published_directly_need_no_address() -> None:
    given = record_of(life(1)[CREATED])
    direct = evolve(given, headers=[each for each in given.headers if each[0] not in ("bucket", "position")])

    assert inspected([direct], addressed=False).wrong == 0
    assert inspected([direct]).wrong == 1


def test_the_number_of_orders_and_violations_that_are_kept_is_bounded() -> None:
    given = [record_of(life(number)[CREATED]) for number in range(300)]

    quality = inspected([*given, *(evolve(each, value=b"{}") for each in given)], orders=20)

    assert quality.followed == 20
    assert (quality.wrong, len(quality.violations)) == (300, 100)
    assert len(quality.records) <= 3


def test_an_order_that_was_evicted_starts_again() -> None:
    given = [record_of(life(number)[CREATED]) for number in range(30)]

    quality = inspected([*given, record_of(life(0)[ASSIGNED])], orders=20)

    assert quality.wrong == 0


def test_all_counts_are_exported_as_metrics(tmp_path: Any) -> None:
    metrics = TopicMetrics(tmp_path / "topic.prom")
    quality, events = TopicQuality(from_beginning=True), life(1)
    given = [
        record_of(events[CREATED], after=400),
        record_of(events[PREPARING]),
        record_of(events[CREATED], after=-60),
        record_of(events[CREATED], version="2.0"),
    ]

    for each in given:
        metrics.count(quality.inspect(each))
    metrics.write()

    written = (tmp_path / "topic.prom").read_text()
    assert all(metric.name in written for metric in TOPIC_CATALOGUE)
    for line in (
        'orderflow_topic_records_total{type="order.created",version="1.0"} 2.0',
        'orderflow_topic_faults_total{field="version"} 1.0',
        'orderflow_topic_untimely_records_total{time="late"} 1.0',
        'orderflow_topic_untimely_records_total{time="future"} 1.0',
        'orderflow_topic_contradictions_total{kind="gap"} 1.0',
        'orderflow_topic_record_size_bytes_count{type="order.created"} 3.0',
    ):
        assert line in written


def test_the_page_names_every_metric() -> None:
    page = (TREE / "docs" / "rollout.md").read_text(encoding="utf-8")

    assert [m.name for m in TOPIC_CATALOGUE if f"| `{m.name}` |" not in page] == []
