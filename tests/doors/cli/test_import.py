"""``orderflow orders import``: orders of a file of any length, each answered for itself."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from orderflow.application.orders.create_order import CreateOrder
from orderflow.domain.errors import StorageBusy, StorageUnavailable
from orderflow.entrypoints.cli import import_orders

from tests.support.commands import CommandLine, order_json
from tests.support.waiting import eventually


def lines(*numbers: int, **changes: object) -> str:
    return "".join(order_json(f"o{number}", **changes) + "\n" for number in numbers)


def ids(cli: CommandLine) -> set[str]:
    return {order["orderId"] for order in cli.json("orders", "list", "--limit", "200")["orders"]}


def counts(report: dict[str, object]) -> dict[str, object]:
    return {name: report[name] for name in ("orders", "placed", "existing", "refused")}


def importing(cli: CommandLine, folder: Path, *, stdin: int, **environment: str) -> "subprocess.Popen[bytes]":
    """Start an import of standard input in a process of its own."""
    ours = {n: v for n, v in os.environ.items() if not n.startswith("ORDERFLOW_")}
    return subprocess.Popen(
        [sys.executable, "-c", "from orderflow.entrypoints.cli import main; main()", "orders", "import", "-"],
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**ours, **environment, "ORDERFLOW_DATABASE_URL": cli.database_url},
        cwd=folder,
    )


@pytest.mark.parametrize("form", ["lines", "array"])
def test_every_order_of_a_file_is_created_and_a_second_run_changes_nothing(
    cli: CommandLine, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "orders"
    text = lines(*range(150))
    file.write_text(text if form == "lines" else json.dumps([json.loads(line) for line in text.splitlines()], indent=1))

    first = cli.json("orders", "import", file)
    again = cli.json("orders", "import", file)

    assert counts(first) == {"orders": 150, "placed": 150, "existing": 0, "refused": 0}
    assert counts(again) == {"orders": 150, "placed": 150, "existing": 150, "refused": 0}
    assert ids(cli) == {f"o{number}" for number in range(150)}
    assert cli.json("check")["clean"] is True


def test_an_order_that_is_refused_is_named_with_its_line_and_the_others_are_created(cli: CommandLine) -> None:
    wrong = [
        order_json("o2", orderDetails=[]),
        "{",
        order_json("o1", userId="C2"),
        order_json("o3", colour="red"),
        order_json("o4").replace('"o4"', "null"),
        '{"note": "' + 1_000_000 * "x" + '"}',
    ]
    text = "\n".join([order_json("o1"), "", *wrong, order_json("o5")])

    answer = cli("orders", "import", "-", stdin=text)
    report = cli("--json", "orders", "import", "-", stdin=text)

    assert (answer.code, report.code) == (1, 1)
    talk = [line for line in answer.err.splitlines() if line.startswith("line ")]
    assert [line.partition(":")[0] for line in talk] == ["line 3", "line 4", "line 5", "line 6", "line 7", "line 8"]
    assert "orderDetails" in talk[0]
    assert "run again" in talk[4]
    assert "more than 1000000 bytes" in talk[5]
    assert counts(report.data) == {"orders": 8, "placed": 2, "existing": 2, "refused": 6}
    assert [(each["line"], each["code"]) for each in report.data["refusals"]][2] == (5, "order_exists")
    assert ids(cli) == {"o1", "o5"}


def test_text_that_is_not_utf_8_is_refused_on_its_line(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "orders"
    file.write_bytes(b"\xef\xbb\xbf" + lines(1).encode() + b'{"userId": "\xff"}\n' + lines(2).encode())

    answer = cli("orders", "import", file)

    assert answer.code == 1
    assert "line 2: the document: it is not valid JSON" in answer.err
    assert ids(cli) == {"o1", "o2"}


def test_an_array_without_an_end_is_an_error_after_the_orders_in_it(cli: CommandLine) -> None:
    answer = cli("--json", "orders", "import", "-", stdin=f"[{order_json('o1')},\n{order_json('o2')},\n")

    assert answer.code == 2
    assert answer.data["placed"] == 2
    assert "line 3: the array has no end" in answer.err
    assert "every order up to line 2 is placed or refused" in answer.err
    assert ids(cli) == {"o1", "o2"}


@pytest.mark.parametrize("name", ["missing", ""])
def test_a_file_that_cannot_be_read_is_an_error(cli: CommandLine, tmp_path: Path, name: str) -> None:
    answer = cli("orders", "import", tmp_path / name)

    assert answer.code == 2
    assert "cannot be read" in answer.err


def test_orders_are_created_as_the_actor_may(cli: CommandLine) -> None:
    answer = cli("--json", "orders", "import", "-", "--as", "customer:C9", stdin=lines(1))

    assert answer.code == 1
    assert answer.data["refusals"][0]["code"] == "not_permitted"


def test_an_unavailable_database_stops_the_import_which_says_how_far_it_came(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = CreateOrder.__call__

    async def failing(self: CreateOrder, new: object, **options: object) -> object:
        if new.order_id == "o3":  # type: ignore[attr-defined]
            raise StorageUnavailable("database", "gone")
        return await create(self, new, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(CreateOrder, "__call__", failing)
    answer = cli("--json", "orders", "import", "-", stdin=lines(1, 2, 3, 4))

    assert answer.code == 5
    assert answer.data["lastLine"] == 2
    assert "every order up to line 2 is placed or refused; run the import again" in answer.err
    monkeypatch.undo()
    assert cli.json("orders", "import", "-", stdin=lines(1, 2, 3, 4))["placed"] == 4


def test_a_busy_storage_is_waited_for(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    create, refused = CreateOrder.__call__, list[object]()

    async def busy(self: CreateOrder, new: object, **options: object) -> object:
        if len(refused) < 3:
            refused.append(new)
            raise StorageBusy(1)
        return await create(self, new, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(import_orders, "BUSY_SECONDS", 0)
    monkeypatch.setattr(CreateOrder, "__call__", busy)

    assert cli.json("orders", "import", "-", stdin=lines(1, 2))["placed"] == 2
    assert len(refused) == 3


def test_only_the_first_refusals_are_listed_and_all_are_counted(cli: CommandLine) -> None:
    report = cli("--json", "orders", "import", "-", stdin=1_500 * "{}\n").data

    assert (report["refused"], len(report["refusals"])) == (1_500, 1_000)


def test_lines_of_a_pipe_are_answered_while_it_is_open_and_ctrl_c_ends_the_import(
    cli: CommandLine, tmp_path: Path
) -> None:
    with importing(cli, tmp_path, stdin=subprocess.PIPE, PYTHONUNBUFFERED="1") as process:
        assert process.stdin
        assert process.stderr
        os.set_blocking(process.stderr.fileno(), False)
        process.stdin.write(b"{}\n" + lines(1, 2).encode())
        process.stdin.flush()
        talk = bytearray()

        def answered() -> bool:
            talk.extend(process.stderr.read() or b"")  # type: ignore[union-attr]
            return b"line 1:" in talk and ids(cli) == {"o1", "o2"}

        eventually(answered, every=0.2, that="the first line is refused and the others are orders")
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
        talk.extend(process.stderr.read() or b"")

    assert (code, b"Traceback" in talk) == (130, False), talk


def test_a_pipe_that_another_program_left_non_blocking_is_read_to_its_end(cli: CommandLine, tmp_path: Path) -> None:
    end, ours = os.pipe()
    os.set_blocking(end, False)

    with importing(cli, tmp_path, stdin=end) as process:
        os.close(end)
        with open(ours, "wb", buffering=0) as pipe:
            pipe.write(lines(1).encode())
            eventually(lambda: ids(cli) == {"o1"}, every=0.2, that="the first order is there")
            pipe.write(lines(2).encode())
        process.communicate(timeout=60)

    assert (process.returncode, ids(cli)) == (0, {"o1", "o2"})


def test_memory_does_not_grow_with_the_file(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    waiting: list[int] = []
    read = import_orders._read
    taken, blocks = 0, 0

    async def counted(self: CreateOrder, new: object, **options: object) -> object:
        nonlocal taken
        taken += 1
        return await create(self, new, **options)  # type: ignore[arg-type]

    def noting(file: Path) -> object:
        nonlocal blocks
        for block in read(file):
            blocks += 1
            waiting.append(blocks * import_orders.BLOCK - taken * len(lines(1000)))
            yield block

    create = CreateOrder.__call__
    monkeypatch.setattr(CreateOrder, "__call__", counted)
    monkeypatch.setattr(import_orders, "BLOCK", 16 * 1024)
    monkeypatch.setattr(import_orders, "_read", noting)
    file = tmp_path / "orders"
    file.write_text(lines(*range(1_000, 2_500)))

    report = cli.json("orders", "import", file)

    assert report["placed"] == 1_500
    assert blocks > 10
    assert max(waiting) <= (import_orders.BLOCKS_WAITING + 3) * import_orders.BLOCK
