"""``orderflow rollout``: what is published and which consumers are paused, with an audit of who, why and when."""

from typing import Any

import pytest

from tests.support.commands import CommandLine

ANN = ("--by", "ann", "--reason", "the mails bounce")


def consumer(state: Any, name: str) -> Any:
    return next(each for each in state["consumers"] if each["consumer"] == name)


def test_all_is_published_and_no_consumer_is_paused_at_first(cli: CommandLine) -> None:
    state = cli.json("rollout", "status")

    assert (state["percent"], state["publishedBuckets"], state["set"]) == (100, 256, None)
    assert [(each["consumer"], each["paused"]) for each in state["consumers"]] == [
        ("notifications", None),
        ("analytics", None),
        ("inventory", None),
    ]


def test_a_share_is_set_with_its_author_and_reason(cli: CommandLine) -> None:
    answer = cli.json("rollout", "set", "10", *ANN)

    state = cli.json("rollout", "status")
    assert (answer["change"]["before"], answer["change"]["after"]) == (100, 10)
    assert answer["state"] == state
    assert (state["percent"], state["publishedBuckets"]) == (10, 26)
    assert (state["set"]["by"], state["set"]["reason"]) == ("ann", "the mails bounce")


def test_a_consumer_is_paused_and_resumed_with_author_and_reason(cli: CommandLine) -> None:
    paused = cli.json("rollout", "pause", "analytics", *ANN)["state"]
    lag = {each["reader"]: each["paused"] for each in cli.json("lag")}
    resumed = cli.json("rollout", "resume", "analytics", "--by", "bob", "--reason", "fixed")["state"]

    assert consumer(paused, "analytics")["paused"]["reason"] == "the mails bounce"
    assert consumer(paused, "inventory")["paused"] is None
    assert lag == {"notifications": False, "analytics": True, "inventory": False}
    assert consumer(resumed, "analytics")["paused"] is None


def test_the_history_shows_each_change_once_the_latest_first(cli: CommandLine) -> None:
    cli.json("rollout", "set", "10", *ANN)
    again = cli("rollout", "set", "10", *ANN)
    cli.json("rollout", "pause", "analytics", "--by", "bob", "--reason", "counts twice")

    history = cli.json("rollout", "history")

    assert "10 % were published already" in again.err
    assert [(each["kind"], each["consumer"], each["note"]["by"]) for each in history] == [
        ("pause", "analytics", "bob"),
        ("share", None, "ann"),
    ]
    assert [each["kind"] for each in cli.json("rollout", "history", "--limit", "1")] == ["pause"]


@pytest.mark.parametrize("percent", ["101", "-1", "10.5", "half", "", "\u0663", "9" * 5000])
def test_a_share_that_is_none_is_refused_with_what_is_allowed(cli: CommandLine, percent: str) -> None:
    answer = cli("rollout", "set", percent, *ANN)

    assert answer.code == 2
    assert "a whole number from 0 to 100" in answer.err
    assert cli.json("rollout", "history") == []


def test_a_consumer_that_there_is_not_is_refused_with_those_that_there_are(cli: CommandLine) -> None:
    answers = [cli("rollout", command, "relay", *ANN) for command in ("pause", "resume")]

    assert [answer.code for answer in answers] == [2, 2]
    assert all("notifications, analytics, inventory" in answer.err for answer in answers)


@pytest.mark.parametrize("word", [("--by", " ", "--reason", "x"), ("--by", "ann", "--reason", ""), ("--by", "ann")])
def test_nothing_is_changed_without_an_author_and_a_reason(cli: CommandLine, word: tuple[str, ...]) -> None:
    answers = [cli("rollout", *change, *word) for change in (("set", "0"), ("pause", "analytics"))]

    assert [answer.code for answer in answers] == [2, 2]
    assert cli.json("rollout", "history") == []


def test_where_nothing_is_published_it_says_so(cli: CommandLine) -> None:
    answer = cli("rollout", "set", "10", *ANN)

    assert "no Kafka is configured here: nothing is published" in " ".join(answer.err.split())


def test_the_maintenance_log_has_the_changes_and_is_filtered_by_kind(cli: CommandLine) -> None:
    cli.json("rollout", "set", "10", *ANN)
    cli.json("rollout", "pause", "analytics", *ANN)

    every = cli.json("maintenance")
    pauses = cli.json("maintenance", "--kind", "pause")
    table = cli("maintenance")

    assert [each["kind"] for each in every] == ["pause", "share"]
    assert [(each["kind"], each["consumer"]) for each in pauses] == [("pause", "analytics")]
    assert "publishing 100 % -> 10 %" in " ".join(table.out.split())
