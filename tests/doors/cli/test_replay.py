"""Replays by an operator, and their audit."""

import sqlite3
from contextlib import closing

import pytest
from orderflow.entrypoints.cli import replay as replaying

from tests.support.commands import CommandLine

ANN = ("--by", "ann", "--reason", "a table was lost")
REPLAY = ("events", "replay", "--consumer", "analytics", "--from")


def _lose(cli: CommandLine, statement: str) -> None:
    with closing(sqlite3.connect(cli.file)) as database, database:
        assert database.execute(statement).rowcount


def test_effects_that_were_lost_are_made_up_for_and_the_check_is_clean(lived: CommandLine) -> None:
    _lose(lived, "DELETE FROM order_progress WHERE order_id IN ('small-o1', 'small-o2')")
    damaged = lived("check").code

    one = lived.json(*REPLAY, "order:small-o1", *ANN)
    rest = lived.json(*REPLAY, "0", *ANN)

    assert (damaged, lived("check").code) == (1, 0)
    assert (one["orders"], one["handled"], one["stopped"], one["missing"]) == (1, one["events"], [], [])
    assert (rest["orders"], rest["handled"]) == (10, rest["events"])


def test_a_dry_run_shows_how_much_there_is_to_do_and_leaves_it(lived: CommandLine) -> None:
    _lose(lived, "DELETE FROM order_progress WHERE order_id = 'small-o1'")

    dry = lived("--json", *REPLAY, "0", "--dry-run")

    assert (dry.code, dry.data["orders"], dry.data["handled"], dry.data["dryRun"]) == (0, 10, 0, True)
    assert "nothing is changed" in dry.err
    assert lived("check").code == 1
    assert lived.json("maintenance") == []


def test_an_order_that_stops_is_reported_and_is_a_failure(lived: CommandLine) -> None:
    _lose(lived, "DELETE FROM order_progress WHERE order_id = 'small-o1'")
    _lose(lived, "UPDATE order_events SET body = CAST('{}' AS BLOB) WHERE order_id = 'small-o1' AND sequence = 2")

    answer = lived("--json", *REPLAY, "0", *ANN)

    assert (answer.code, [(it["orderId"], it["sequence"]) for it in answer.data["stopped"]]) == (1, [("small-o1", 2)])
    assert "order small-o1 stopped at event 2: UndecodableEvent" in " ".join(answer.err.split())


def test_repairs_are_listed_with_author_and_reason_the_latest_first(lived: CommandLine) -> None:
    lived.json(*REPLAY, "order:small-o1", *ANN)
    lived.json("events", "replay", "--consumer", "inventory", "--from", "0", "--by", "bob", "--reason", "to be sure")

    found = lived.json("maintenance")

    assert [(it["kind"], it["consumer"], it["note"]["by"], it["note"]["reason"]) for it in found] == [
        ("replay", "inventory", "bob", "to be sure"),
        ("replay", "analytics", "ann", "a table was lost"),
    ]
    assert found[1]["detail"].startswith("from order:small-o1 by the log: ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((*REPLAY, "yesterday", *ANN), 2, "order:ID"),
        ((*REPLAY, "256:1", *ANN), 2, "buckets 0 to 255"),
        ((*REPLAY, "0", "--by", "ann"), 2, "reason: it is missing"),
        ((*REPLAY, "0", "--source", "topic", *ANN), 1, "there is no topic to read from here"),
        ((*REPLAY, "order:nobody", *ANN), 3, "there is no order 'nobody'"),
        (
            ("events", "replay", "--consumer", "kitchen", "--from", "0", *ANN),
            2,
            "'kitchen' is no consumer; allowed: notifications",
        ),
        (("maintenance", "--limit", "0"), 2, "1 to 1000"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(
    lived: CommandLine, arguments: tuple[str, ...], code: int, said: str
) -> None:
    answer = lived(*arguments)

    assert (answer.code, said in " ".join(answer.err.split())) == (code, True), answer
    assert lived.json("maintenance") == []


def test_what_analytics_knows_is_made_anew_and_the_check_is_clean(
    lived: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = lived.json("analytics", "restaurants")
    _lose(lived, "UPDATE order_progress SET total_e4 = 1, total = '0.0001', delivery_minutes = 7")
    monkeypatch.setattr(replaying, "PROGRESS_SECONDS", 0)
    damaged = lived("check").code

    answer = lived("--json", "rebuild", "analytics", *ANN)

    assert (damaged, answer.code, lived("check").code) == (1, 0, 0)
    assert lived.json("analytics", "restaurants") == right
    assert answer.data["swapped"] == {"orders": 10, "changed": 10, "removed": 0}
    assert "70 of 70 events" in answer.err
    assert [it["kind"] for it in lived.json("maintenance")] == ["swap", "rebuild"]


def test_an_order_that_cannot_be_rebuilt_leaves_all_as_it_was(lived: CommandLine) -> None:
    before = lived.json("analytics", "restaurants")
    _lose(lived, "UPDATE order_events SET body = CAST('{}' AS BLOB) WHERE order_id = 'small-o1' AND sequence = 2")

    answer = lived("--json", "rebuild", "analytics")

    assert (answer.code, answer.data["swapped"]) == (1, None)
    assert [(it["orderId"], it["sequence"]) for it in answer.data["stopped"]] == [("small-o1", 2)]
    assert "nothing is swapped in" in answer.err
    assert lived.json("analytics", "restaurants") == before


def test_a_rebuild_from_a_log_that_ends_before_the_cursors_ends_and_changes_nothing(lived: CommandLine) -> None:
    before = lived.json("analytics", "restaurants")
    _lose(lived, "UPDATE cursors SET position = position + 9000 WHERE reader = 'analytics' AND bucket = 8")
    with closing(sqlite3.connect(lived.file)) as database:
        [(head,)] = database.execute("SELECT position FROM log_heads WHERE bucket = 8")

    answer = lived("--json", "rebuild", "analytics")

    assert (answer.code, answer.data["swapped"]) == (1, None)
    assert answer.data["missing"] == [{"bucket": 8, "position": head + 1}]
    assert f"bucket 8: the log has no event at position {head + 1}" in answer.err
    assert lived.json("analytics", "restaurants") == before


def test_an_order_is_compared_with_its_events(lived: CommandLine) -> None:
    sound = lived.json("orders", "verify", "small-o1")
    _lose(lived, "UPDATE orders SET state = 'cancelled', version = version + 1 WHERE id = 'small-o1'")

    damaged = lived("--json", "orders", "verify", "small-o1")

    assert (sound["equal"], sound["differences"], sound["row"]) == (True, [], sound["fold"])
    assert (damaged.code, damaged.data["equal"]) == (1, False)
    assert damaged.data["differences"] == [
        {"fact": "state", "row": "cancelled", "fold": sound["row"]["state"]},
        {"fact": "version", "row": sound["events"] + 1, "fold": sound["events"]},
    ]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM orders WHERE id = 'small-o1'", "there is no row"),
        ("DELETE FROM order_events WHERE order_id = 'small-o1'", "there are no events"),
        (
            "DELETE FROM order_events WHERE order_id = 'small-o1' AND sequence = 3",
            "cannot be folded: order 'small-o1'",
        ),
        (
            "UPDATE order_events SET body = CAST('{}' AS BLOB) WHERE order_id = 'small-o1'",
            "cannot be folded: event 1: type",
        ),
    ],
)
def test_a_row_or_a_history_that_is_not_whole_is_a_difference(lived: CommandLine, damage: str, said: str) -> None:
    _lose(lived, damage)

    answer = lived("--json", "orders", "verify", "small-o1")

    assert (answer.code, answer.data["equal"]) == (1, False)
    assert said in " ".join(answer.err.split())


def test_an_order_of_which_there_is_neither_row_nor_event_is_not_found(lived: CommandLine) -> None:
    answers = [lived("orders", "verify", "nobody"), lived("orders", "verify", "small-o1", "--source", "topic")]

    assert [answer.code for answer in answers] == [3, 1]
