"""orderflow's processes as users start them: what each takes on, and how it ends when it is asked to."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.commands import order_json
from tests.support.installation import Installation
from tests.support.servers import free_port
from tests.support.stack import PROGRAM
from tests.support.waiting import eventually

BOSS = {"X-Actor": "admin:boss"}
CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}


@pytest.fixture
def asking() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=180) as client:
        yield client


PlaceOrder = Callable[[str, str], httpx.Response]


@pytest.fixture
def order(asking: httpx.Client) -> PlaceOrder:
    """Place an order of that id by HTTP, as its customer."""
    return lambda url, order_id: asking.post(f"{url}/v1/orders", content=order_json(order_id), headers=CUSTOMER)


def test_the_operations_port_answers_while_the_event_loop_is_blocked(
    orderflow: Installation, asking: httpx.Client, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    block = f"import signal\nsignal.signal(signal.SIGUSR1, lambda *_: open({str(pipe)!r}).read())\n"
    (tmp_path / "sitecustomize.py").write_text(block)
    service = orderflow.start("serve", "--no-consumers", code=tmp_path, HTTP_DEV="true")
    asking.get(f"{service.url}/livez").raise_for_status()

    service.process.send_signal(signal.SIGUSR1)
    with pipe.open("w"):  # it opens when the process reads, and its main thread waits for the end of the file
        answers = [asking.get(f"{service.operations}/{path}") for path in ("livez", "metrics", "readyz")]
    after = asking.get(f"{service.url}/livez")

    assert [answer.status_code for answer in answers] == [200, 200, 503]
    assert after.status_code == 200
    assert service.exit_code(signal.SIGTERM) == 0


def test_one_process_takes_a_day_by_http_notifies_and_analyses_and_ends_at_once_with_nothing_lost(
    orderflow: Installation, asking: httpx.Client, order: PlaceOrder, tmp_path: Path
) -> None:
    service = orderflow.start("serve", "--dev", HTTP_DEV="false")
    for path in ("livez", "readyz"):
        eventually(lambda p=path: asking.get(f"{service.url}/{p}").status_code == 200, that=path)

    orderflow.run("simulate", "generate", str(tmp_path / "day"), "--orders", "10", "--seed", "5")
    report = orderflow.run("simulate", "run", str(tmp_path / "day"), "--url", service.url, "--workers", "2")
    eventually(lambda: orderflow.count("notifications") >= 20 and orderflow.count("order_progress") == 10)
    from_elsewhere = asking.get(f"{service.url}/v1/orders", headers=BOSS | {"X-Forwarded-For": "192.0.2.1"})
    last = order(service.url, "last").status_code
    ended = service.exit_code(signal.SIGTERM)

    assert (report["figures"]["orders"], report["figures"]["unfinished"]) == (10, 0)
    assert (from_elsewhere.status_code, last) == (401, 201)
    assert ended == 0
    assert "development mode" in service.said()
    assert "Traceback" not in service.said()
    later = orderflow.start("serve", "--no-api")
    assert orderflow.run("lag", "--wait", "60")
    assert orderflow.run("check")["clean"]
    assert len(orderflow.run("orders", "list")["orders"]) == 11
    assert later.exit_code(signal.SIGINT) == 0


def test_a_port_that_is_taken_is_a_failure_that_names_it(orderflow: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = str(first.getsockname()[1])

        second = orderflow.attempt("serve", HTTP_PORT=port, HTTP_DEV="true")

    assert second.code == 1
    assert port in second.err
    assert "Traceback" not in second.err


def test_an_api_without_a_way_to_authenticate_does_not_start(orderflow: Installation) -> None:
    service = orderflow.attempt("serve")

    assert service.code == 1
    assert "there is no token" in service.err
    assert "orderflow serve --dev" in service.err
    assert "part" not in service.err  # nothing was started, and no other process sees one that fails


def test_development_mode_is_refused_on_an_open_address(orderflow: Installation) -> None:
    service = orderflow.attempt("serve", HTTP_DEV="true", HTTP_HOST="0.0.0.0")

    assert service.code == 1
    assert "0.0.0.0 would be open to everyone" in service.err
    assert "orderflow tokens make" in service.err


def test_a_relay_without_kafka_is_a_failure_that_names_the_setting(orderflow: Installation) -> None:
    orderflow.run("db", "upgrade")

    relay = orderflow.attempt("relay")

    assert relay.code == 1
    assert "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS" in relay.err


def test_orders_are_taken_while_kafka_cannot_be_reached(
    orderflow: Installation, asking: httpx.Client, order: PlaceOrder
) -> None:
    orderflow.stack.bootstrap_servers = f"127.0.0.1:{free_port()}"
    service = orderflow.start("serve")

    placed = order(service.url, "o1")
    ready = asking.get(f"{service.url}/readyz")
    relay = service.line("relay waits")

    assert placed.status_code == 201
    assert ready.status_code == 503
    assert relay["level"] == "warning"
    assert asking.get(f"{service.url}/v1/orders/o1", headers=CUSTOMER).status_code == 200
    assert service.exit_code(signal.SIGTERM) == 0


def test_a_command_whose_output_is_closed_ends_without_an_error(orderflow: Installation, tmp_path: Path) -> None:
    day = str(tmp_path / "day")
    orderflow.run("simulate", "generate", day, "--orders", "3")
    orderflow.run("db", "upgrade")  # a command that reads needs a database
    tail = subprocess.Popen(
        (*PROGRAM, "events", "tail", "--from-beginning"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=orderflow.stack.environment,
    )
    assert tail.stdout is not None
    orderflow.run("simulate", "run", day)
    assert json.loads(tail.stdout.readline())["type"] == "order.created"

    tail.stdout.close()
    orderflow.run("simulate", "run", day, "--prefix", "more-")

    assert tail.wait(30) == 141
    assert tail.stderr is not None
    [line] = tail.stderr.read().splitlines()
    assert line.startswith(b"database: ")
    tail.stderr.close()
