"""The examples for other frameworks, run as their first lines say, each with the framework's own server."""

import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from orderflow import OrderFlow

from tests.support.redis import RedisServer
from tests.support.servers import free_port, obtain
from tests.support.waiting import eventually

TREE = Path(__file__).parents[2]
LUNCH = {"guest": "ann", "dish": "soup", "price": "9.90"}


@contextmanager
def following(name: str, url: str, log: Path, *more: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the last command of the example's documentation until the end of the block; then it has to end in order."""
    text = (TREE / "examples" / f"{name}.py").read_text(encoding="utf-8")
    *_, command = re.findall(r"^    (.+)$", text.split('"""')[1], flags=re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*shlex.split(command), *more],
            cwd=TREE,
            env={**kept, "PATH": path, "ORDERFLOW_DATABASE_URL": url, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield server
            server.send_signal(signal.SIGINT if "celery" not in name else signal.SIGTERM)
            server.wait(300)
        finally:
            server.kill()
            server.wait()


def answers(port: int, server: subprocess.Popen[bytes], log: Path) -> httpx.Client:
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=180)

    def ready() -> bool:
        assert server.poll() is None, log.read_text(encoding="utf-8")
        try:
            return client.get("/nothing").status_code == 404
        except httpx.TransportError:
            return False

    eventually(ready, that="the server answers")
    return client


def kept(url: str) -> tuple[Mapping[str, str], list[str], bool]:
    """The states of all orders, the programs that are registered as running, and whether all is consistent."""
    with OrderFlow.open_sync(url, consumers=["notifications", "analytics", "inventory"]) as flow:
        container = flow._target.container
        known: Any = flow._thread.call(container.storage().processes.all)
        flow.settled(300)
        report: Any = flow._thread.call(container.check())
        states = {order.id: str(order.state) for order in flow.list_orders().orders}
    return states, [str(it.process.pid) for it in known if it.process.pid != os.getpid()], report.clean


@pytest.mark.parametrize(
    ("name", "port_option"),
    [("flask_app", "--port {}"), ("django_app", "127.0.0.1:{}"), ("fastapi_app", "--port {}")],
)
def test_a_web_application_takes_orders(name: str, port_option: str, tmp_path: Path) -> None:
    url, port, log = f"sqlite:///{tmp_path}/orders.db", free_port(), tmp_path / "server.log"

    with following(name, url, log, *shlex.split(port_option.format(port)), LUNCHES=f"{tmp_path}/lunches.db") as server:
        client = answers(port, server, log)
        ordered = client.post("/lunches", json=LUNCH)
        order = ordered.json()
        refused = client.post("/lunches", json={**LUNCH, "price": "-1"})
        stranger = client.delete(f"/lunches/{order['id']}", params={"guest": "bob"})
        cancelled = client.delete(f"/lunches/{order['id']}", params={"guest": "ann"})
        listed = client.get("/lunches") if name == "flask_app" else None

    assert (ordered.status_code, order["state"], order["total"]) == (201, "waiting_for_shipper", "9.90 EUR")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
    assert (stranger.status_code, stranger.json()["code"]) == (404, "order_not_found")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    if listed is not None:
        assert [(it["id"], it["dish"], it["state"]) for it in listed.json()] == [(order["id"], "soup", "cancelled")]
    assert kept(url) == ({order["id"]: "cancelled"}, [], True), log.read_text(encoding="utf-8")


def test_an_order_that_a_django_process_left_out_is_placed_later(tmp_path: Path) -> None:
    url, lunches = f"sqlite:///{tmp_path}/orders.db", tmp_path / "lunches.db"
    environment = {**os.environ, "ORDERFLOW_DATABASE_URL": url, "LUNCHES": str(lunches)}
    job = [sys.executable, "examples/django_app.py", "place-missed"]
    lunch_id = "0190b2c4-0000-7000-8000-000000000001"

    subprocess.run(job, cwd=TREE, env=environment, check=True, timeout=300)  # makes the table
    with closing(sqlite3.connect(lunches)) as connection, connection:
        row = (lunch_id.replace("-", ""), "ann", "soup", "9.90", False)
        connection.execute("INSERT INTO lunches_lunch (id, guest, dish, price, placed) VALUES (?, ?, ?, ?, ?)", row)
    subprocess.run(job, cwd=TREE, env=environment, check=True, timeout=300)
    with closing(sqlite3.connect(lunches)) as connection:
        placed = connection.execute("SELECT placed FROM lunches_lunch").fetchall()

    assert kept(url) == ({lunch_id: "waiting_for_shipper"}, [], True)
    assert placed == [(1,)]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    obtain(lambda: server.start() or server)
    yield server
    server.close()


def test_tasks_of_celery_take_orders(
    redis: RedisServer, migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "worker.log"
    monkeypatch.setenv("CELERY_BROKER_URL", redis.url)
    monkeypatch.syspath_prepend(TREE / "examples")

    with following("celery_app", migrated_url, log, "--concurrency", "2", CELERY_BROKER_URL=redis.url):
        lunches = import_module("celery_app")
        ordered = [
            lunches.order_lunch.apply_async(args=("ann", "soup", "9.90"), task_id=f"lunch-{number % 8}")
            for number in range(12)
        ]
        made = {it.get(timeout=180) for it in ordered}
        state = lunches.cancel_lunch.delay("lunch-1", "changed my mind").get(timeout=180)
        lunches.app.backend.result_consumer.stop()
        lunches.app.close()
    monkeypatch.delitem(sys.modules, "celery_app")

    states, running, clean = kept(migrated_url)
    assert (made, state) == ({f"lunch-{number}" for number in range(8)}, "cancelled")
    assert states == {**dict.fromkeys(made, "waiting_for_shipper"), "lunch-1": "cancelled"}
    assert (running, clean) == ([], True), log.read_text(encoding="utf-8")
