"""``orderflow events validate`` on a real topic: what flows is counted, and bad records are shown with their place."""

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from orderflow.adapters import wire
from orderflow.application.event_log.records import bucket_of

from tests.integration.kafka.relay_program import life
from tests.support.commands import CommandLine, CommandResult
from tests.support.kafka import KafkaBroker

WATCH = ("events", "validate", "--watch", "--from-beginning", "--for", "0.5", "--every", "0.5", "--late", "1e8")


@pytest.fixture
def cli(kafka: KafkaBroker, topic_name: str, sqlite_url: str) -> CommandLine:
    """Commands on the test's own topic, where a good order stands, and after it one record that says nothing."""
    kafka.create_topic(topic_name)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for event in life(1)[:3]:
        record = wire.record(event, bucket=bucket_of(event.order_id), position=event.sequence)
        headers: Any = wire.headers(record, source="/orderflow")
        producer.produce(topic_name, record.body, record.order_id, 1, headers=headers)
    producer.produce(topic_name, b"hello", b"someone", 1)
    assert producer.flush(30) == 0
    settings = {"ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "ORDERFLOW_TOPIC": topic_name}
    return CommandLine(sqlite_url, settings)


def lines(answer: CommandResult) -> list[Any]:
    return [json.loads(line) for line in answer.out.splitlines()]


def test_json_lines_report_each_bad_record_and_all_that_was_counted(cli: CommandLine, topic_name: str) -> None:
    answer = cli("--json", *WATCH)

    reported = lines(answer)
    bad = [line["bad"] for line in reported if "bad" in line]
    assert answer.code == 1
    assert {(each["topic"], each["partition"], each["offset"]) for each in bad} == {(topic_name, 1, 3)}
    assert (reported[-1]["checked"], reported[-1]["wrong"], reported[-1]["ordersFollowed"]) == (4, 1, 1)
    assert {(each["type"], each["version"]): each["records"] for each in reported[-1]["records"]} == {
        ("order.created", "1.0"): 1,
        ("order.shipper_assigned", "1.0"): 1,
        ("order.state_changed", "1.0"): 1,
        ("unknown", "unknown"): 1,
    }


def test_the_table_shows_the_same_with_its_place_and_the_metrics_are_in_the_file(
    cli: CommandLine, topic_name: str, tmp_path: Path
) -> None:
    answer = cli(*WATCH, "--metrics", tmp_path / "topic.prom")

    assert answer.code == 1
    assert f"{topic_name}/1@3" in answer.out
    assert "order.shipper_assigned" in answer.out
    assert "4 checked, 1 wrong" in answer.err
    assert 'orderflow_topic_records_total{type="order.created",version="1.0"} 1.0' in (
        tmp_path / "topic.prom"
    ).read_text(encoding="utf-8")


def test_who_watches_from_now_on_hears_nothing_of_before(cli: CommandLine) -> None:
    answer = cli("--json", "events", "validate", "--watch", "--for", "0")

    assert answer.code == 0
    assert lines(answer)[-1]["checked"] == 0


def test_the_whole_topic_is_checked_with_its_headers_and_a_fault_has_its_place(
    cli: CommandLine, topic_name: str
) -> None:
    answer = cli("--json", "events", "validate", "--topic")

    assert answer.code == 1
    assert [fault["where"] for fault in answer.data["faults"]] == [f"{topic_name}/1@3"]
    assert answer.data["byType"]["order.created"] == 1


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--watch", "events.jsonl"), "--watch is for the topic"),
        (("--watch", "--for", "-1"), "seconds, 0 or more"),
        (("--watch", "--every", "0"), "seconds, 0.1 or more"),
        (("--watch", "--metrics", "nowhere/topic.prom"), "a file in a folder that is there"),
        (("--topic", "--from-beginning"), "--watch"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_is_allowed(
    cli: CommandLine, arguments: tuple[str, ...], allowed: str
) -> None:
    answer = cli("events", "validate", *arguments)

    assert answer.code == 2
    assert allowed in answer.err
