"""``simulate`` and ``demo``: the same day always produces the same events, byte for byte."""

import shutil
import signal
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from attrs import evolve

from tests.support.commands import CommandLine, order_json
from tests.support.servers import free_port
from tests.support.stack import PROGRAM, Stack
from tests.support.terminal import Terminal
from tests.support.waiting import eventually

ORDERS = 10


def events(cli: CommandLine) -> Mapping[str, Sequence[bytes]]:
    """The bodies of all events by order, in sequence."""
    with closing(sqlite3.connect(cli.file)) as database:
        rows = database.execute("SELECT order_id, body FROM order_events ORDER BY order_id, sequence").fetchall()
    bodies: dict[str, list[bytes]] = {}
    for order_id, body in rows:
        bodies.setdefault(order_id, []).append(body)
    return bodies


def contents(folder: Path) -> Mapping[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_the_same_seed_generates_the_same_day_and_another_seed_another(cli: CommandLine, tmp_path: Path) -> None:
    first, again, other = (tmp_path / name / "day" for name in ("first", "again", "other"))

    for folder, seed in ((first, "8"), (again, "8"), (other, "9")):
        cli.json("simulate", "generate", folder, "--orders", "12", "--seed", seed)

    assert contents(first) == contents(again)
    assert contents(first) != contents(other)
    assert set(contents(first)) == {"orders.txt", "couriers.txt", "restaurants.txt", "instance_parameters.txt"}


def test_a_folder_that_cannot_be_written_is_named(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    answer = cli("simulate", "generate", tmp_path / "file" / "day")

    assert (answer.code, answer.out) == (2, "")
    assert "file" in answer.err


def test_a_run_ends_every_order_and_all_consumers_catch_up(cli: CommandLine, small_day: Path) -> None:
    report = cli.json("simulate", "run", small_day)

    assert report["figures"]["orders"] == ORDERS
    assert report["figures"]["unfinished"] == 0
    assert report["waiting"] == {"notifications": 0, "analytics": 0, "inventory": 0}
    assert report["events"] == sum(map(len, events(cli).values()))
    assert cli.json("check")["clean"] is True


def test_a_run_prints_a_table_of_its_figures(cli: CommandLine, small_day: Path) -> None:
    answer = cli("simulate", "run", small_day)

    words = ("orders", "delivered", "click to door, median", "90th percentile", "events in the log", "handled by")
    assert answer.code == 0
    assert [word for word in words if word not in answer.out] == []
    assert "simulating small" in answer.err


def test_one_worker_produces_the_same_events_in_each_order_as_many_on_another_database(
    cli: CommandLine, lived_once: CommandLine, small_day: Path
) -> None:
    cli.json("simulate", "run", small_day, "--speed", "max", "--workers", "1")

    assert events(cli) == events(lived_once)
    assert len(events(cli)) == ORDERS


def test_payment_attempts_are_timed_by_the_systems_clock_so_that_no_other_process_gives_them_up(
    lived_once: CommandLine, small_day: Path
) -> None:
    generated = datetime.fromtimestamp(small_day.stat().st_mtime, UTC)

    with closing(sqlite3.connect(lived_once.file)) as database:
        requested = [at for (at,) in database.execute("SELECT requested_at FROM payment_attempts")]
    assert requested
    assert all(datetime.fromisoformat(at).replace(tzinfo=UTC) >= generated for at in requested)


def test_a_step_that_fails_ends_the_run_and_is_reported(cli: CommandLine, small_day: Path) -> None:
    cli.json("orders", "create", "-", stdin=order_json("small-o7"))

    answer = cli("simulate", "run", small_day)

    assert (answer.code, answer.out) == (4, "")
    assert "small-o7" in answer.err
    assert "Traceback" not in answer.err
    assert cli.json("check")["clean"] is True


def test_ctrl_c_ends_a_run_without_a_traceback_and_leaves_every_order_as_its_events_say(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.json("simulate", "generate", tmp_path / "long", "--orders", "400", "--seed", "5")
    stack = Stack(tmp_path, cli.database_url, "", "orders")
    running = stack.begin("simulate", "run", str(tmp_path / "long"))
    eventually(lambda: len(events(cli)) > 10, deadline=180, that="the day has begun")

    running.send_signal(signal.SIGINT)

    assert running.wait(60) == 130
    assert "Traceback" not in (tmp_path / "simulate.err").read_text()
    assert len(events(cli)) < 400
    assert cli.json("check")["clean"] is True


def test_a_run_at_a_speed_takes_its_time_and_ends_every_order(cli: CommandLine, small_day: Path) -> None:
    report = cli.json("simulate", "run", small_day, "--speed", "30000")

    assert report["figures"]["unfinished"] == 0
    assert report["figures"]["orders"] == ORDERS
    assert report["seconds"] > 0.5


def test_a_second_run_of_a_day_on_the_same_database_is_refused(lived: CommandLine, small_day: Path) -> None:
    before = events(lived)

    answer = lived("simulate", "run", small_day)

    assert (answer.code, answer.out) == (4, "")
    assert "--prefix" in answer.err
    assert events(lived) == before


def test_another_prefix_allows_a_second_run(lived: CommandLine, small_day: Path) -> None:
    lived.json("simulate", "run", small_day, "--prefix", "again-")

    assert len(events(lived)) == 2 * ORDERS
    assert lived.json("check")["clean"] is True


def test_a_run_can_have_another_date(cli: CommandLine, small_day: Path) -> None:
    cli.json("simulate", "run", small_day, "--on", "2025-06-01")

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

    answer = cli("simulate", "run", tmp_path / "broken")

    assert (answer.code, answer.out) == (2, "")
    assert "orders.txt:4: placement_time" in answer.err
    assert events(cli) == {}


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
        (["--url", ""], "url"),
        (["--url", "http://127.0.0.1:99999"], "url"),
        (["--url", "http://127.0.0.1", "--token", "é"], "token"),
        (["--url", "http://127.0.0.1", "--token", ""], "token"),
        (["--prefix", "two words "], "orderId"),
    ],
    ids=str,
)
def test_a_run_with_an_invalid_option_exits_2_and_creates_no_orders(
    cli: CommandLine, small_day: Path, arguments: list[str], named: str
) -> None:
    answer = cli("simulate", "run", small_day, *arguments)

    assert (answer.code, answer.out) == (2, "")
    assert named.casefold() in answer.err.casefold()
    assert events(cli) == {}


def test_a_service_that_does_not_respond_is_unavailable(cli: CommandLine, small_day: Path) -> None:
    answer = cli("simulate", "run", small_day, "--url", f"http://127.0.0.1:{free_port()}")

    assert (answer.code, answer.out) == (5, "")


def test_a_password_in_the_url_of_a_service_is_not_printed(cli: CommandLine, small_day: Path) -> None:
    answer = cli("simulate", "run", small_day, "--url", f"http://user:s3cret@127.0.0.1:{free_port()}")

    assert answer.code == 5
    assert "s3cret" not in answer.out + answer.err


class Service(BaseHTTPRequestHandler):
    """A service that sends each request the first of ``answers`` which is left, and keeps the bodies."""

    answers: ClassVar[list[tuple[int, str, bytes]]]
    asked: ClassVar[list[bytes]]

    def _answer(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
        status, media_type, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def serving(*answers: tuple[int, str, bytes]) -> Iterator[str]:
    """The URL of a service that gives these answers, the last for ever."""
    Service.answers, Service.asked = [*answers], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ((502, "text/html", b"<h1>Bad gateway</h1>"), "not orderflow: 502, text/html"),
        ((200, "application/json", b'{"ok":true}'), "the server is not orderflow"),
    ],
)
def test_a_url_of_another_service_is_unavailable(
    cli: CommandLine, small_day: Path, sent: tuple[int, str, bytes], problem: str
) -> None:
    with serving(sent) as url:
        answer = cli("simulate", "run", small_day, "--url", url)

    assert (answer.code, answer.out) == (5, "")
    assert problem in answer.err


def test_a_request_that_is_one_too_many_is_sent_again(cli: CommandLine, small_day: Path) -> None:
    one_too_many = (429, "application/json", b'{"code":"too_many_requests"}')
    delivered = (200, "application/json", b'{"state":"delivered"}')
    with serving(one_too_many, delivered) as url:
        answer = cli("simulate", "run", small_day, "--workers", "1", "--url", url)

    assert answer.code == 0, answer
    assert Service.asked[0] == Service.asked[1]


def test_a_demo_ends_with_a_clean_check(cli: CommandLine) -> None:
    report = cli.json("demo", "--orders", "10")

    assert report["clean"] is True
    assert report["day"]["figures"]["unfinished"] == 0
    assert events(cli) == {}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--board", "--orders", "5001"], "at most 5,000"),
        (["--speed", "0"], "speed"),
        (["--speed", "100001"], "speed"),
        (["--port", "65536"], "port"),
        (["--open", "--no-board"], "--open"),
    ],
    ids=str,
)
def test_a_demo_with_an_invalid_option_exits_2(cli: CommandLine, arguments: list[str], named: str) -> None:
    answer = cli("demo", *arguments)

    assert (answer.code, answer.out) == (2, "")
    assert named in answer.err


def test_on_a_terminal_a_demo_has_a_board_until_ctrl_c_and_says_if_no_browser_opens_it(tmp_path: Path) -> None:
    no_browser = {"BROWSER": "/bin/false", "DISPLAY": "", "WAYLAND_DISPLAY": "", "PATH": str(tmp_path)}
    stack = Stack(tmp_path, f"sqlite:///{tmp_path}/unused.db", "", "orders", settings={"CI": "", **no_browser})

    with Terminal((*PROGRAM, "demo", "--open", "--orders", "10", "--speed", "1"), stack.environment) as terminal:
        terminal.shows("the board: http://")
        terminal.shows("on sqlite:")
        terminal.shows("open the address by hand")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(60) == 130

    assert "nothing is kept" in terminal.shown
    assert "Traceback" not in terminal.shown


def test_the_demo_shows_the_day_and_the_check_and_no_lines_of_information(cli: CommandLine) -> None:
    answer = evolve(cli, more={"ORDERFLOW_LOG_LEVEL": "info"})("demo", "--orders", "10")

    assert answer.code == 0
    assert '"level":"info"' not in answer.err  # a warning of a busy machine may be there
    assert "delivered" in answer.out
    assert "row = fold(log)" in answer.out
    assert "the check is clean" in answer.err
