"""Several API processes behind one port, as ``orderflow serve --workers`` starts them."""

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from orderflow.adapters.telemetry.metrics import catalogue

from tests.support.commands import CommandLine, order_json
from tests.support.databases import migrated_database
from tests.support.installation import Installation, RunningProcess, installation
from tests.support.load import load
from tests.support.metrics import Samples
from tests.support.postgres import PostgresServer
from tests.support.stack import Stack
from tests.support.waiting import eventually

CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def orderflow(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation on PostgreSQL, without Kafka."""
    with installation(Stack(tmp_path_factory.mktemp("workers"), migrated_database(postgres), "", "orders")) as here:
        yield here


@pytest.fixture
def alone(tmp_path: Path, migrated_url: str) -> Iterator[Installation]:
    """An installation of the test's own."""
    with installation(Stack(tmp_path, migrated_url, "", "orders")) as here:
        yield here


@pytest.fixture(scope="module")
def service(orderflow: Installation) -> RunningProcess:
    """Two workers without consumers; each test leaves two that run, until the last one ends them."""
    return orderflow.start("serve", "--no-consumers", HTTP_WORKERS="2", STOP_GRACE_SECONDS="5")


def worker_ids(service: RunningProcess) -> set[int]:
    """The processes of the service that run its API."""
    found = set()
    for child in psutil.Process(service.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # a zombie is one, too
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


def registered(orderflow: Installation) -> list[Mapping[str, Any]]:
    processes: list[Mapping[str, Any]] = orderflow.run("status")["processes"]
    return processes


def parts(orderflow: Installation) -> list[list[str]]:
    return sorted([part["name"] for part in process["parts"]] for process in registered(orderflow))


def place(url: str, order_id: str) -> int:
    return httpx.post(f"{url}/v1/orders", content=order_json(order_id), headers=CUSTOMER, timeout=180).status_code


def stored(orderflow: Installation, *prefixes: str) -> set[str]:
    """Return the ids of the orders that begin so."""
    found: set[str] = set()
    cursor: list[str] = []
    while True:
        page = orderflow.run("orders", "list", "--limit", "200", *cursor)
        found |= {order["orderId"] for order in page["orders"]}
        if page["nextCursor"] is None:
            return {order_id for order_id in found if order_id.startswith(prefixes)}
        cursor = ["--cursor", page["nextCursor"]]


def test_workers_share_a_port_everything_else_runs_once_and_all_end_with_a_killed_supervisor(
    alone: Installation,
) -> None:
    service = alone.start("serve", "--workers", "2")
    url = service.url
    with httpx.Client() as kept:
        assert {kept.get(f"{url}/livez").status_code for _ in range(3)} == {200}
    assert [place(url, f"o{number}") for number in range(20)] == [201] * 20
    eventually(lambda: Samples.at(service.operations).total(catalogue.CREATED) == 20, that="analytics has handled all")

    seen = Samples.complete(service.operations)
    assert seen.by(catalogue.COMMANDS, "outcome", command="create_order") == {"ok": 20}
    assert seen.total(catalogue.HTTP_SECONDS, "_count", route="/v1/orders", status="201") == 20
    assert seen.by(catalogue.ORDERS, "state") == {"waiting_for_shipper": 20}
    eventually(lambda: httpx.get(f"{service.operations}/readyz", timeout=180).json()["checks"]["workers"] == "ok")
    assert len(worker_ids(service)) == 2
    assert parts(alone) == [["api"], ["api"], ["notifications", "analytics", "inventory", "webhooks"]]
    workers = [psutil.Process(pid) for pid in worker_ids(service)]

    service.process.kill()  # and its workers end with it

    _, alive = psutil.wait_procs(workers, timeout=120)
    assert alive == []


def test_a_worker_that_is_killed_loses_only_its_requests_in_flight_and_is_started_again(
    orderflow: Installation, service: RunningProcess
) -> None:
    url = service.url
    before, said, counted_before = worker_ids(service), len(service.said()), counted(service)
    with load(url, clients=8, prefix="killed") as placing:
        eventually(lambda: len(placing.acknowledged) > 20)
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: len(worker_ids(service) - before) == 1, that="there is another worker")
        broken = list(placing.broken)
        with load(url, clients=8, prefix="later") as later:
            eventually(lambda: len(later.acknowledged) > 50)

    assert len(broken) <= 8
    assert len(placing.broken) == len(broken)
    assert later.broken == []
    eventually(lambda: "a worker has died" in service.said()[said:])
    assert "exit code -9" in service.said()[said:]
    placed = {*placing.acknowledged, *later.acknowledged}
    in_database = stored(orderflow, "killed", "later")
    assert placed <= in_database
    assert len(in_database - placed) <= len(broken)
    assert len(placed) <= counted(service) - counted_before <= len(placed) + len(broken)


def counted(service: RunningProcess) -> float:
    """Return the orders that were placed by the metrics of all workers, the ended ones included."""
    metrics = Samples.at(service.operations)
    return metrics.total(catalogue.HTTP_SECONDS, "_count", route="/v1/orders", status="201")


def test_connections_that_no_worker_has_accepted_wait_for_the_next_one(service: RunningProcess) -> None:
    url = service.url
    before = worker_ids(service)
    workers = [psutil.Process(pid) for pid in before]
    for worker in workers:
        worker.suspend()
    eventually(lambda: {worker.status() for worker in workers} == {psutil.STATUS_STOPPED}, that="both stand still")
    host, _, port = url.removeprefix("http://").partition(":")
    waiting = [socket.create_connection((host, int(port)), timeout=120) for _ in range(10)]
    for connection in waiting:
        connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")

    for pid in before:
        os.kill(pid, signal.SIGKILL)
    answers = [connection.recv(100) for connection in waiting]

    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 200"}
    for connection in waiting:
        connection.close()
    eventually(lambda: len(worker_ids(service) - before) == 2, that="there are two other workers")


def test_at_signals_to_the_whole_group_requests_in_progress_are_answered_and_no_order_is_lost(
    orderflow: Installation, service: RunningProcess
) -> None:
    url, workers = service.url, worker_ids(service)
    with load(url, clients=8, prefix="stopped") as placing:
        eventually(lambda: len(placing.acknowledged) > 20)
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        before = len(placing.acknowledged)
        eventually(lambda: len(placing.acknowledged) > before + 20, that="the workers leave the end to the supervisor")
        assert worker_ids(service) == workers
        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(f"{url}/readyz", timeout=180).json()["status"] == "stopping")
        assert httpx.get(f"{service.operations}/readyz", timeout=180).json()["status"] == "stopping"
        after = len(placing.acknowledged)
        eventually(lambda: len(placing.acknowledged) > after, that="the workers still answer in their grace")

    assert placing.broken == []
    assert service.exit_code() == 0
    assert stored(orderflow, "stopped") == set(placing.acknowledged)
    assert not workers & {process["pid"] for process in registered(orderflow)}


def test_a_port_that_is_taken_is_named(orderflow: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = str(first.getsockname()[1])

        second = orderflow.attempt("serve", "--no-consumers", HTTP_DEV="true", HTTP_WORKERS="2", HTTP_PORT=port)

    assert second.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.err
    assert "ORDERFLOW_HTTP_PORT" in second.err


def test_a_worker_that_cannot_start_ends_the_service_with_its_error(orderflow: Installation, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif '--multiprocessing-fork' in sys.argv: sys.modules.update(limits=None)\n"
    )
    service = orderflow.start("serve", "--no-consumers", "--workers", "2", code=tmp_path, HTTP_DEV="true")

    assert service.exit_code() == 1
    assert "the HTTP API needs limits" in service.said()
    assert "Traceback" not in service.said()


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}/orderflow.db"])
def test_other_storages_are_refused(tmp_path: Path, url: str) -> None:
    service = CommandLine(url.format(tmp_path))("serve", "--no-consumers", "--workers", "2")

    assert service.code == 1
    assert "2 workers need PostgreSQL" in service.err
    assert "Traceback" not in service.err


@pytest.mark.parametrize("workers", ["0", "65"])
def test_the_number_of_workers_is_limited(orderflow: Installation, workers: str) -> None:
    answer = orderflow.stack.command_line("serve", "--workers", workers)

    assert answer.code == 2
    assert "1 to 64" in answer.err


def test_a_token_is_required_as_with_one_process(orderflow: Installation) -> None:
    service = orderflow.attempt("serve", "--no-consumers", HTTP_WORKERS="2")

    assert service.code == 1
    assert "there is no token" in service.err
