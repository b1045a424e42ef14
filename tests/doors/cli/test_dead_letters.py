"""``orderflow dead-letters``: parked events are shown whole, and redriven or dropped with a name and a reason."""

import asyncio
import shutil
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.consuming.consumer import ConsumerTransaction
from orderflow.application.event_log.records import Delivery, LogRecord, Origin, UnrecognizedRecord
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.commands import CommandLine, order_json

ANN = ("--by", "ann", "--reason", "the books are right again")
FOREIGN = UnrecognizedRecord(
    topic="order-events", partition=2, offset=41, key=b"\xffk", value=b"hello", problem="no address"
)


@frozen
class Broken(Analyse):
    """Analytics that fails at the second event of each order: at o1 by one error, at all others by another."""

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        for delivery in deliveries:
            if delivery.event.sequence == 2:
                raise ValueError("wrong sum") if delivery.event.order_id == "o1" else KeyError("price")
        await super().handle(deliveries, work)


def origin(record: LogRecord) -> Origin:
    return Origin("order-events", record.bucket % 3, 100 + record.sequence)


async def consumed(cli: CommandLine) -> None:
    """Analytics has read the whole log, and a record of the topic that is none of ours."""
    container = container_for(Settings(database_url=cli.database_url))
    async with opened(container):
        log = container.storage().log
        records = await log.read(dict.fromkeys(await log.heads(), 0), limit=100)
        await container.handle_batch(Broken(), origin=origin)([FOREIGN, *records])


@pytest.fixture(scope="session")
def parked_database(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """A SQLite file in which analytics has parked o1 and o2, each at its second event with some behind it."""
    file = tmp_path_factory.mktemp("parked") / "orderflow.db"
    shutil.copy(empty_database, file)
    cli = CommandLine(f"sqlite:///{file}")
    for order_id in ("o1", "o2"):
        cli.json("orders", "create", "-", stdin=order_json(order_id))
        cli.json("orders", "transition", order_id, "preparing", "--as", "restaurant:R7")
        cli.json("orders", "cancel", order_id, "--reason", "the oven broke", "--as", "restaurant:R7")
    asyncio.run(consumed(cli))
    return file


@pytest.fixture
def parked(tmp_path: Path, parked_database: Path) -> CommandLine:
    """Commands on a copy of it."""
    return CommandLine(f"sqlite:///{shutil.copy(parked_database, tmp_path / 'parked.db')}")


def waiting(cli: CommandLine) -> list[tuple[str, int]]:
    return [(at["record"]["orderId"], at["record"]["sequence"]) for at in cli.json("dead-letters", "list")["parked"]]


@pytest.mark.parametrize("command", ["list", "history", "unrecognized"])
def test_a_mistyped_consumer_is_not_an_empty_list(cli: CommandLine, command: str) -> None:
    run = cli("dead-letters", command, "anlytics")

    assert run.code == 2
    assert "'anlytics' is none" in run.err
    assert "analytics" in run.err
    assert cli("dead-letters", command, "analytics").code == 0


def test_a_dead_letter_shows_what_failed_how_often_and_where_its_event_was(parked: CommandLine) -> None:
    first, second = parked.json("dead-letters", "show", "analytics", "o1")[:2]

    table = parked("dead-letters", "show", "analytics", "o1").out
    assert (first["error"], first["message"], first["attempts"]) == ("ValueError", "wrong sum", 3)
    assert first["origin"] == {"topic": "order-events", "partition": first["record"]["bucket"] % 3, "offset": 102}
    assert first["firstFailedAt"] <= first["lastFailedAt"]
    assert (second["error"], second["attempts"], second["record"]["sequence"]) == ("", 0, 3)
    for said in ("ValueError", "wrong sum", "position 2", "/", "Traceback", "test_dead_letters.py"):
        assert said in table


def test_a_dry_run_shows_what_would_be_handled_and_changes_nothing(parked: CommandLine) -> None:
    before = waiting(parked)

    plan = parked.json("dead-letters", "redrive", "--all", "--dry-run")

    assert [(it["consumer"], it["orderId"], it["sequence"], it["error"]) for it in plan] == [
        ("analytics", "o1", 2, "ValueError"),
        ("analytics", "o2", 2, "KeyError"),
    ]
    assert all(it["events"] >= 2 for it in plan)
    assert waiting(parked) == before == [("o1", 2), ("o2", 2)]
    assert parked.json("dead-letters", "history") == []


def test_one_order_is_redriven_with_its_author_and_reason(parked: CommandLine) -> None:
    [done] = parked.json("dead-letters", "redrive", "analytics", "o1", "--rate", "1000", *ANN)

    assert (done["consumer"], done["unparked"], done["stopped"]) == ("analytics", ["o1"], [])
    assert waiting(parked) == [("o2", 2)]
    history = parked.json("dead-letters", "history", "--order", "o1")
    assert {(it["outcome"], it["note"]["by"], it["note"]["reason"]) for it in history} == {("handled", *ANN[1::2])}
    assert [it["sequence"] for it in history] == list(range(1 + done["events"], 1, -1))


def test_the_dead_letters_of_one_error_are_redriven_for_every_consumer(parked: CommandLine) -> None:
    done = parked.json("dead-letters", "redrive", "--all", "--error", "KeyError", *ANN)

    assert [it["unparked"] for it in done if it["consumer"] == "analytics"] == [["o2"]]
    assert waiting(parked) == [("o1", 2)]


def test_what_is_not_said_whole_is_refused_and_changes_nothing(parked: CommandLine) -> None:
    commands = [
        (["redrive", "analytics", "--reason", "it is mended"], "by"),
        (["redrive", "analytics", "--by", "ann", "--reason", " "], "reason"),
        (["redrive", *ANN], "give the name of one, or --all"),
        (["redrive", "analytics", "--all", *ANN], "give the name of one, or --all"),
        (["redrive", "analytics", "--rate", "0", *ANN], "more than 0"),
        (["drop", "analytics", "o1", "--by", "ann"], "--reason"),
        (["drop", "analytics", *ANN], "ORDER"),
        (["history", "--limit", "0"], "1 to 10000"),
    ]

    for arguments, reason in commands:
        answer = parked("dead-letters", *arguments)
        assert answer.code == 2, arguments
        assert reason.lower() in answer.err.lower()

    assert waiting(parked) == [("o1", 2), ("o2", 2)]
    assert parked.json("dead-letters", "history") == []


def test_a_dropped_event_is_gone_and_what_waited_behind_it_is_still_there(parked: CommandLine) -> None:
    answer = parked("dead-letters", "drop", "analytics", "o1", *ANN)

    [entry] = parked.json("dead-letters", "history")
    assert answer.code == 0
    assert "of the order, to redrive" in answer.err
    assert waiting(parked) == [("o1", 3), ("o2", 2)]
    assert (entry["outcome"], entry["orderId"], entry["sequence"], entry["error"]) == ("dropped", "o1", 2, "ValueError")
    assert (entry["note"]["by"], entry["note"]["reason"]) == ANN[1::2]


def test_an_order_is_dropped_whole_where_that_is_said(parked: CommandLine) -> None:
    dropped = parked.json("dead-letters", "drop", "analytics", "o1", "--all", *ANN)

    assert dropped["unparked"]
    assert waiting(parked) == [("o2", 2)]
    assert parked("dead-letters", "drop", "analytics", "o1", *ANN).code == 3


def test_what_was_dropped_is_no_difference_but_a_note_and_is_seen_on_the_orders_way(parked: CommandLine) -> None:
    parked.json("dead-letters", "redrive", "analytics", "o2", *ANN)
    parked.json("dead-letters", "drop", "analytics", "o1", "--all", *ANN)

    report = parked.json("check")
    traced = parked.json("orders", "trace", "o1")

    assert report["clean"]
    assert "analytics: not compared: 1 order with dropped events" in report["report"]["notes"]
    assert _of_analytics(traced) == ["handled", *["dropped"] * (len(traced["events"]) - 1)]


def _of_analytics(traced: Any) -> list[str]:
    return [it["state"] for event in traced["events"] for it in event["handled"] if it["consumer"] == "analytics"]


def test_a_record_that_is_none_of_ours_is_shown_with_its_place_and_its_bytes(parked: CommandLine) -> None:
    [found] = parked.json("dead-letters", "unrecognized")

    answer = parked("dead-letters", "unrecognized", "analytics")
    record = found["record"]
    assert (record["topic"], record["partition"], record["offset"]) == ("order-events", 2, 41)
    assert (b64decode(record["key"]), b64decode(record["value"])) == (b"\xffk", b"hello")
    for said in ("order-events/2@41", "\\xffk", "hello", "no address"):
        assert said in answer.out
    assert parked.json("dead-letters", "unrecognized", "inventory") == []


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_redrive_of_an_order_that_is_not_parked_is_refused(parked: CommandLine, more: tuple[str, ...]) -> None:
    answer = parked("dead-letters", "redrive", "analytics", "nobody", *ANN, *more)

    assert (answer.code, answer.out) == (3, "")
    assert "there is no dead letter of analytics for order 'nobody'" in answer.err
