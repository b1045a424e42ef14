"""``orderflow events``: the log as it is, and what claims to be an event."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from orderflow.adapters import wire
from orderflow.adapters.wire import validation
from orderflow.entrypoints.cli.session import begin
from orderflow.entrypoints.cli.topic_quality import Watching, WatchOptions
from orderflow.entrypoints.settings import Settings

from tests.support.commands import CommandLine

_SAMPLES = Path(__file__).parents[2] / "wire"


def test_the_log_is_shown_as_it_is_an_event_a_line(lived_once: CommandLine) -> None:
    answer = lived_once("events", "tail", "--from-beginning", "--no-follow")

    with closing(sqlite3.connect(lived_once.file)) as database:
        bodies = {body.decode() for (body,) in database.execute("SELECT body FROM order_events")}
    assert answer.code == 0
    assert set(answer.out.splitlines()) == bodies
    assert len(answer.out.splitlines()) == len(bodies)


def test_a_tail_ends_after_as_many_events_as_asked_for(lived_once: CommandLine) -> None:
    answer = lived_once("events", "tail", "--from-beginning", "--limit", "3")

    assert answer.code == 0
    assert len(answer.out.splitlines()) == 3


def test_what_the_log_holds_keeps_the_contract(lived_once: CommandLine, tmp_path: Path) -> None:
    exported = lived_once("events", "tail", "--from-beginning", "--no-follow").out
    (tmp_path / "day.jsonl").write_text(exported)

    of_a_file = lived_once.json("events", "validate", tmp_path / "day.jsonl")
    of_standard_input = lived_once.json("events", "validate", "-", stdin=exported)

    assert of_a_file == of_standard_input
    assert of_a_file["checked"] == len(exported.splitlines())
    assert of_a_file["faults"] == []
    assert set(of_a_file["byType"]) >= {"order.created", "order.state_changed", "order.delivered"}


def test_a_bad_event_exits_1_with_its_place_and_the_field(lived_once: CommandLine, tmp_path: Path) -> None:
    good, bad, *_ = lived_once("events", "tail", "--from-beginning", "--no-follow").out.splitlines()
    broken = {**json.loads(bad), "occurredAt": "noon"}
    file = tmp_path / "bad.jsonl"
    file.write_text(f"{good}\n{json.dumps(broken)}\n{good[:40]}\n")

    as_json = lived_once("--json", "events", "validate", file)
    as_table = lived_once("events", "validate", file)

    assert (as_json.code, as_table.code) == (1, 1)
    assert [fault["where"].removeprefix(str(tmp_path)) for fault in as_json.data["faults"]] == [
        "/bad.jsonl:2",
        "/bad.jsonl:3",
    ]
    assert "occurredAt" in as_json.data["faults"][0]["problems"][0]["path"]
    assert "bad.jsonl:2" in as_table.out
    assert "occurredAt" in as_table.out
    assert "3 checked, 2 wrong" in as_table.err


@pytest.mark.parametrize(
    "text", ["x" * 200, '{"a":' + "1" * 200, "\n".join("[" for _ in range(120))], ids=["a line", "an event", "an array"]
)
def test_a_file_without_an_end_is_refused(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(validation, "MAX_BYTES", 100)
    file = tmp_path / "endless.json"
    file.write_text(text)

    done = cli("events", "validate", str(file))

    assert done.code == 2
    assert f"{file}: a line, a document or an array has more than 100 bytes" in done.err


@pytest.mark.parametrize("sample", sorted(_SAMPLES.glob("*.json")), ids=lambda sample: sample.name)
def test_a_published_sample_keeps_the_contract(cli: CommandLine, sample: Path) -> None:
    assert cli.json("events", "validate", sample)["checked"] == 1


async def test_the_seconds_of_a_watch_count_from_when_every_partition_is_being_read() -> None:
    begin(Settings(), json=True, correlation_id="c1")
    watching, taken = Watching(wire.TopicQuality(), WatchOptions(seconds=0), metrics=None), []

    async def flow() -> AsyncIterator[tuple[list[wire.ConsumedRecord], bool]]:
        for reading in (False, False, True, True):
            taken.append(reading)
            yield [], reading

    await watching(flow(), asyncio.Event())

    assert taken == [False, False, True]
