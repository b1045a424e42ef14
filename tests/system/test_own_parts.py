"""Parts of one's own, in modules outside of this tree, run in real processes by settings alone."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.support.commands import order_json
from tests.support.process import OwnProcess
from tests.support.pytest_run import run_pytest
from tests.support.servers import free_port
from tests.support.stack import PROGRAM
from tests.support.waiting import eventually

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN = ("own_gateway.py", "own_channel.py", "own_handlers.py", "own_publisher.py", "own_repository.py")
LINES = {"own_gateway.py": 40, "own_channel.py": 30, "own_handlers.py": 15}
"""The most lines below the imports that each may have: it is an example because it is short."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (*OWN, "test_own_parts.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    return tmp_path


@pytest.fixture
def texts() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of a provider of text messages, and what it was given."""
    given: list[dict[str, str]] = []

    class Provider(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Provider)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", given
    server.shutdown()


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERFLOW_", "PYTHON"))}
    return kept | {
        "ORDERFLOW_DATABASE_URL": f"sqlite:///{folder}/shop.db",
        "ORDERFLOW_HTTP_DEV": "true",
        "ORDERFLOW_LOG_FORMAT": "json",
        "ORDERFLOW_POLL_SECONDS": "0.05",
        "SHOP_LEDGER": str(folder / "ledger.db"),
        "SHOP_PRINTER": str(folder / "tickets.txt"),
        "SHOP_PHONES": str(folder / "phones.json"),
        **more,
    }


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("name", LINES)
def test_the_examples_are_short(name: str) -> None:
    code = (EXAMPLES / name).read_text().split('"""', 2)[2]

    lines = [line for line in code.splitlines() if line.strip() and not line.startswith(("import ", "from "))]
    assert len(lines) <= LINES[name]


def test_the_examples_pass_the_shipped_suites_in_a_folder_of_their_own(folder: Path) -> None:
    done = run_pytest(folder, "test_own_parts.py", environment=environment(folder))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout
    assert re.search(r" passed, 1 skipped in ", done.stdout), done.stdout  # a ledger on this disk cannot be down


def test_a_gateway_a_channel_and_a_consumer_run_in_serve_and_consume_by_settings_alone(
    folder: Path, texts: tuple[str, list[dict[str, str]]]
) -> None:
    url, given = texts
    (folder / "phones.json").write_text(json.dumps({"customer:C1": "+43 1 5550000"}))
    port = free_port()
    settings = environment(
        folder,
        ORDERFLOW_HTTP_PORT=str(port),
        ORDERFLOW_PAYMENT_GATEWAY="own_gateway:make_gateway",
        ORDERFLOW_NOTIFICATION_CHANNELS="log,own_channel:make_sms",
        ORDERFLOW_CONSUMERS="kitchen=own_handlers:ticket",
        SHOP_SMS_URL=url,
    )
    other = settings | {"SHOP_PRINTER": str(folder / "second.txt"), "ORDERFLOW_CONSUMERS": ""}
    serve = OwnProcess((*PROGRAM, "serve"), folder / "serve.log", environment=settings)
    consume = OwnProcess((*PROGRAM, "consume", "second=own_handlers:ticket"), folder / "consume.log", environment=other)
    admin = {"X-Actor": "admin:ann"}
    order = json.loads(order_json("O1", paymentMethod="credit_card", cardToken="tok_success"))

    try:
        serve.start()
        eventually(lambda: _answers(port), that="the API answers")
        consume.start()
        placed = httpx.post(f"http://127.0.0.1:{port}/v1/orders", json=order, headers=admin, timeout=180)
        paid = httpx.post(f"http://127.0.0.1:{port}/v1/orders/O1/payment", json={}, headers=admin, timeout=180)
        eventually(lambda: lines_of(folder / "tickets.txt"), that="serve has printed")
        eventually(lambda: lines_of(folder / "second.txt"), that="consume has printed")
        eventually(lambda: given, that="a text message was sent")
    finally:
        serve.stop()
        consume.stop()

    assert (placed.status_code, paid.status_code) == (201, 200), (placed.text, paid.text)
    with closing(sqlite3.connect(folder / "ledger.db")) as ledger:
        keys = [key for (key,) in ledger.execute("SELECT key FROM requests ORDER BY key")]
    assert keys == ["O1:authorize:1", "O1:capture:1"]
    assert lines_of(folder / "tickets.txt") == lines_of(folder / "second.txt") == ["O1 2 x Pizza"]
    assert {message["to"] for message in given} == {"+43 1 5550000"}


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_part_that_cannot_be_ends_serve_with_its_reason(folder: Path) -> None:
    setting = "ORDERFLOW_NOTIFICATION_CHANNELS"

    done = subprocess.run(
        (*PROGRAM, "serve"),
        cwd=folder,
        env=environment(folder, **{setting: "own_channel:make_sms", "ORDERFLOW_HTTP_PORT": "0"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 2
    assert f"{setting}: " in done.stderr
    assert "make_sms() fails: KeyError" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
