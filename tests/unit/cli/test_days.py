"""``simulate`` and ``replay``: the same day twice tells the same story, byte for byte."""

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.commands import CommandLine
from tests.support.servers import free_port

ORDERS = 10


def told(cli: CommandLine) -> Mapping[str, Sequence[bytes]]:
    """The body of every event by order, in sequence."""
    with closing(sqlite3.connect(cli.file)) as database:
        rows = database.execute("SELECT order_id, body FROM order_events ORDER BY order_id, sequence").fetchall()
    stories: dict[str, list[bytes]] = {}
    for order_id, body in rows:
        stories.setdefault(order_id, []).append(body)
    return stories


def contents(folder: Path) -> Mapping[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_a_made_up_day_is_the_same_for_the_same_seed_and_another_for_another(cli: CommandLine, tmp_path: Path) -> None:
    first, again, other = (tmp_path / name / "day" for name in ("first", "again", "other"))

    for folder, seed in ((first, "8"), (again, "8"), (other, "9")):
        cli.json("simulate", folder, "--orders", "12", "--seed", seed)

    assert contents(first) == contents(again)
    assert contents(first) != contents(other)
    assert set(contents(first)) == {"orders.txt", "couriers.txt", "restaurants.txt", "instance_parameters.txt"}


def test_a_folder_that_cannot_be_written_is_named(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    answer = cli("simulate", tmp_path / "file" / "day")

    assert (answer.code, answer.out) == (2, "")
    assert "file" in answer.err


def test_a_day_ends_with_every_order_ended_and_all_consumers_caught_up(cli: CommandLine, small_day: Path) -> None:
    report = cli.json("replay", small_day)

    assert report["figures"]["orders"] == ORDERS
    assert report["figures"]["unfinished"] == 0
    assert report["waiting"] == {"notifications": 0, "analytics": 0, "inventory": 0}
    assert report["events"] == sum(map(len, told(cli).values()))
    assert cli.json("check")["clean"] is True


def test_the_table_of_a_day_names_what_an_operator_asks_for(cli: CommandLine, small_day: Path) -> None:
    answer = cli("replay", small_day)

    words = ("orders", "delivered", "click to door, median", "90th percentile", "events in the log", "handled by")
    assert answer.code == 0
    assert [word for word in words if word not in answer.out] == []
    assert "living small" in answer.err


def test_the_same_day_on_two_databases_makes_the_same_events_byte_for_byte(
    cli: CommandLine, lived_once: CommandLine, small_day: Path
) -> None:
    cli.json("replay", small_day, "--speed", "max")

    assert told(cli) == told(lived_once)
    assert len(told(cli)) == ORDERS


def test_many_workers_make_the_same_events_in_each_order(
    cli: CommandLine, lived_once: CommandLine, small_day: Path
) -> None:
    cli.json("replay", small_day, "--workers", "4")

    assert told(cli) == told(lived_once)


def test_a_day_lived_at_a_speed_takes_its_time_and_ends_every_order(cli: CommandLine, small_day: Path) -> None:
    report = cli.json("replay", small_day, "--speed", "30000")

    assert report["figures"]["unfinished"] == 0
    assert report["figures"]["orders"] == ORDERS
    assert report["seconds"] > 0.5


def test_the_same_day_is_refused_a_second_time_in_one_database(lived: CommandLine, small_day: Path) -> None:
    before = told(lived)

    answer = lived("replay", small_day)

    assert (answer.code, answer.out) == (4, "")
    assert "--prefix" in answer.err
    assert told(lived) == before


def test_another_prefix_lives_the_day_again_beside_the_first(lived: CommandLine, small_day: Path) -> None:
    lived.json("replay", small_day, "--prefix", "again-")

    assert len(told(lived)) == 2 * ORDERS
    assert lived.json("check")["clean"] is True


def test_a_day_may_be_given_another_date(cli: CommandLine, small_day: Path) -> None:
    cli.json("replay", small_day, "--on", "2025-06-01")

    created = {order["createdAt"][:10] for order in cli.json("orders", "list")["orders"]}
    assert created == {"2025-06-01"}


def test_a_broken_row_is_refused_with_its_file_line_and_column(
    cli: CommandLine, small_day: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_day, tmp_path / "broken")
    rows = (tmp_path / "broken" / "orders.txt").read_text().splitlines()
    cells = rows[3].split("\t")
    rows[3] = "\t".join([*cells[:3], "noon", *cells[4:]])
    (tmp_path / "broken" / "orders.txt").write_text("\n".join(rows) + "\n")

    answer = cli("replay", tmp_path / "broken")

    assert (answer.code, answer.out) == (2, "")
    assert "orders.txt:4: placement_time" in answer.err
    assert told(cli) == {}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--speed", "0"], "speed"),
        (["--speed", "fast"], "speed"),
        (["--speed", "nan"], "speed"),
        (["--workers", "0"], "workers"),
        (["--on", "tomorrow"], "on"),
        (["--wait", "-1"], "wait"),
        (["--url", "ftp://127.0.0.1"], "url"),
        (["--prefix", "two words "], "orderId"),
    ],
    ids=str,
)
def test_a_replay_that_is_asked_for_wrongly_exits_2_and_lives_nothing(
    cli: CommandLine, small_day: Path, arguments: list[str], named: str
) -> None:
    answer = cli("replay", small_day, *arguments)

    assert (answer.code, answer.out) == (2, "")
    assert named.casefold() in answer.err.casefold()
    assert told(cli) == {}


def test_a_service_that_does_not_answer_is_unavailable(cli: CommandLine, small_day: Path) -> None:
    answer = cli("replay", small_day, "--url", f"http://127.0.0.1:{free_port()}")

    assert (answer.code, answer.out) == (5, "")


class _Proxy(BaseHTTPRequestHandler):
    """A server in front of nothing, with a page for people."""

    def do_POST(self) -> None:
        self.send_response(502)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>Bad gateway</h1>")

    def log_message(self, format: str, *args: object) -> None:
        """Not a word."""


def test_a_url_where_something_else_answers_is_unavailable_and_says_so(cli: CommandLine, small_day: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        Thread(target=server.serve_forever, daemon=True).start()

        answer = cli("replay", small_day, "--url", f"http://127.0.0.1:{server.server_port}")

        server.shutdown()
    assert (answer.code, answer.out) == (5, "")
    assert "no orderflow: 502, text/html" in answer.err


def test_a_demo_lives_a_day_and_ends_with_a_clean_check(cli: CommandLine) -> None:
    told_here = cli.json("demo", "--orders", "10")

    assert told_here["clean"] is True
    assert told_here["day"]["figures"]["unfinished"] == 0
    assert told(cli) == {}


def test_the_demo_shows_the_day_and_the_check(cli: CommandLine) -> None:
    answer = cli("demo", "--orders", "10")

    assert answer.code == 0
    assert "delivered" in answer.out
    assert "row = fold(log)" in answer.out
    assert "the check is clean" in answer.err
