"""The exit code says what came of a command: 1 failure, 2 usage, 3 not found, 4 conflict, 5 backend unavailable."""

import sqlite3
import threading
from functools import partial
from pathlib import Path

import pytest
from orderflow.adapters.kafka import topic_admin as topics
from orderflow.adapters.kafka import topic_reader as reader

from tests.support.commands import CommandLine, order_json
from tests.support.servers import free_port
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fly"], "fly"),
        (["orders", "fly"], "fly"),
        (["orders", "show"], "ORDER_ID"),
        (["check", "--loudly"], "--loudly"),
        (["simulate", "generate", "day", "--orders", "many"], "--orders"),
        (["simulate", "generate", "day", "--orders", "0"], "orders"),
        (["simulate", "run", "nowhere"], "nowhere"),
        (["orders", "list", "--state", "lost"], "lost"),
        (["orders", "list", "--limit", "0"], "limit"),
        (["orders", "list", "--cursor", "nonsense"], "cursor"),
        (["orders", "list", "--created-from", "noon"], "created-from"),
        (["orders", "show", "o1", "--as", "king:1"], "king"),
        (["orders", "create", "nowhere.json"], "nowhere.json"),
        (["orders", "pay", "o1", "--outcome", "maybe"], "outcome"),
        (["events", "validate"], "--topic"),
        (["events", "validate", "nowhere.json"], "nowhere.json"),
        (["events", "tail", "--no-follow", "--limit", "0"], "limit"),
        (["lag", "--wait", "-1"], "wait"),
        (["check", "--wait", "-1"], "wait"),
        (["consume", "gossip"], "gossip"),
        (["dead-letters", "redrive", "gossip"], "gossip"),
        (["stock", "set", "R7", "F1", "some"], "quantity"),
        (["stock", "list", "two words"], "restaurant"),
        (["analytics", "deliveries", "--restaurant", "two words"], "restaurant"),
        (["listen", "--forward-to", "http://127.0.0.1:1/", "--events", "-5"], "events"),
        (["rollout", "set", "5", "--by", "ann", "--reason", "x" * 501], "501 characters"),
        (["tokens", "make", "--role", "king", "--id", "K1"], "king"),
        (["tokens", "rotate", "abc", "--hours", "0.5"], "'0.5' is no whole number"),
        (["orders", "transition", "o1", "preparing", "--version", "1.5"], "'1.5' is no whole number"),
        (["contacts", "set", "someone", "--email", "a@example.org"], "someone"),
        (["--settings", "nowhere.toml", "config"], "nowhere.toml"),
    ],
)
def test_a_command_that_is_not_understood_exits_2_and_names_what_is_wrong(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)

    answer = cli(*arguments)

    assert (answer.code, answer.out) == (2, "")
    assert named.casefold() in answer.err.casefold()


def test_a_wrong_setting_exits_2_and_names_itself_and_what_is_allowed(cli: CommandLine) -> None:
    answer = CommandLine(cli.database_url, {"ORDERFLOW_HTTP_PORT": "99999"})("config")

    assert (answer.code, answer.out) == (2, "")
    assert "ORDERFLOW_HTTP_PORT" in answer.err
    assert "0 (any free) to 65535" in answer.err


def test_an_order_whose_event_would_be_too_large_exits_2_and_says_by_how_much(cli: CommandLine) -> None:
    limited = CommandLine(cli.database_url, {"ORDERFLOW_EVENT_MAX_BYTES": "1000"})
    lines = [{"foodId": f"F{n}", "foodName": "x" * 100, "price": 1, "quantity": 1} for n in range(10)]

    answer = limited("orders", "create", "-", stdin=order_json(orderDetails=lines))

    assert (answer.code, answer.out) == (2, "")
    assert "an event has at most 1000" in answer.err
    assert cli.json("orders", "list")["orders"] == []


def test_repairing_a_log_that_no_relay_publishes_exits_1(cli: CommandLine) -> None:
    answer = cli("log", "repair", "--dry-run")

    assert (answer.code, answer.out) == (1, "")
    assert "no relay publishes here" in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["orders", "show", "nobodys"],
        ["contacts", "show", "customer:nobodys"],
        ["dead-letters", "show", "analytics", "nobodys"],
    ],
)
def test_what_is_not_there_exits_3(cli: CommandLine, arguments: list[str]) -> None:
    answer = cli(*arguments)

    assert (answer.code, answer.out) == (3, "")
    assert "nobodys" in answer.err


def test_an_illegal_transition_exits_4_and_names_the_allowed_ones(cli: CommandLine) -> None:
    cli.json("orders", "create", "-", stdin=order_json())

    answer = cli("orders", "transition", "o1", "delivered")

    assert (answer.code, answer.out) == (4, "")
    assert all(word in answer.err for word in ("waiting_for_shipper", "delivered", "preparing", "cancelled"))


def test_an_order_id_given_again_with_other_content_exits_4(cli: CommandLine) -> None:
    cli.json("orders", "create", "-", stdin=order_json())

    same = cli("orders", "create", "-", stdin=order_json())
    other = cli("orders", "create", "-", stdin=order_json(userId="C2"))

    assert same.code == 0
    assert (other.code, other.out) == (4, "")


def test_a_version_that_the_order_has_left_exits_4(cli: CommandLine) -> None:
    cli.json("orders", "create", "-", stdin=order_json())
    cli.json("orders", "transition", "o1", "preparing", "--version", "1")

    answer = cli("orders", "cancel", "o1", "--reason", "late", "--as", "customer:C1")
    stale = cli("orders", "transition", "o1", "cancelled", "--reason", "late", "--version", "1")

    assert answer.code == 0
    assert (stale.code, stale.out) == (4, "")


@pytest.mark.parametrize("arguments", [["orders", "list"], ["db", "upgrade"], ["db", "current"], ["check"], ["lag"]])
def test_a_database_that_cannot_be_reached_exits_5(arguments: list[str]) -> None:
    unreachable = CommandLine(f"postgresql://someone:secret@127.0.0.1:{free_port()}/orders")

    answer = unreachable(*arguments)

    assert (answer.code, answer.out) == (5, "")
    assert "Traceback" not in answer.err
    assert "secret" not in answer.err


@pytest.mark.parametrize("arguments", [["topics", "create"], ["topics", "describe"], ["events", "validate", "--topic"]])
def test_a_kafka_that_cannot_be_reached_exits_5(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(topics, "TopicAdmin", partial(topics.TopicAdmin, timeout=1))
    monkeypatch.setattr(reader, "KafkaTopicReader", partial(reader.KafkaTopicReader, timeout=1))
    unreachable = CommandLine(cli.database_url, {"ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"})

    answer = unreachable(*arguments)

    assert (answer.code, answer.out) == (5, "")
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    "arguments", [["relay"], ["topics", "create"], ["topics", "describe"], ["events", "validate", "--topic"]]
)
def test_what_needs_kafka_exits_1_without_it_and_names_the_setting(cli: CommandLine, arguments: list[str]) -> None:
    answer = cli(*arguments)

    assert (answer.code, answer.out) == (1, "")
    assert "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS" in answer.err


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        ("DELETE FROM order_events WHERE rowid = (SELECT max(rowid) FROM order_events)", "position"),
        ("UPDATE orders SET state = 'preparing' WHERE id = 'small-o1'", "row = fold(log)"),
        ("DELETE FROM notifications WHERE rowid = (SELECT min(rowid) FROM notifications)", "notifications"),
    ],
)
def test_a_check_that_finds_a_difference_exits_1_and_says_where(lived: CommandLine, damage: str, seen: str) -> None:
    with sqlite3.connect(lived.file) as database:
        database.execute(damage)
    database.close()

    answer = lived("--json", "check")

    assert answer.code == 1
    assert answer.data["clean"] is False
    assert seen in answer.err


def test_a_process_that_failed_leaves_nothing_behind_that_would_end_its_host(cli: CommandLine) -> None:
    answer = cli("relay")

    assert answer.code == 1
    eventually(lambda: not any(isinstance(it, threading.Timer) for it in threading.enumerate()), deadline=10)
