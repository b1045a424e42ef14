"""Processes asked to end: readiness fails first, nothing under way is lost, and a deadline is kept."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient
from orderflow.entrypoints.processes import BACKGROUND

from tests.support.commands import order_json
from tests.support.installation import Installation, installation
from tests.support.kafka import KafkaBroker
from tests.support.load import load
from tests.support.stack import Stack
from tests.support.waiting import eventually

CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}
STOPPING = (503, {"status": "stopping", "checks": {"process": "stopping"}})
LONGER_THAN_THE_TEST = {"KAFKA_SESSION_TIMEOUT_MS": "120000"}
"""The wait of the member that takes over from one which has not left."""
LONG_ENOUGH = "8"
"""Seconds that a process still answers after its signal: a busy machine has seen by then that it is not ready."""


@pytest.fixture
def on_kafka(tmp_path: Path, migrated_url: str, kafka: KafkaBroker, topic_name: str) -> Iterator[Installation]:
    """An installation on PostgreSQL and Kafka, migrated, its topic made."""
    with installation(Stack(tmp_path, migrated_url, kafka.bootstrap_servers, topic_name)) as here:
        here.run("topics", "create")
        yield here


def readiness(url: str) -> tuple[int, Any]:
    """Return the status and body of ``/readyz``; 0 once the port is closed."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=180)
    except httpx.TransportError:
        return 0, None
    return answer.status_code, answer.json()


@contextmanager
def begun(url: str) -> Iterator[Callable[[], str]]:
    """A request that is being answered and whose body has not come yet; what is yielded sends it, for the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    body = order_json("slow").encode()
    head = (
        f"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nX-Actor: customer:C1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")

        def finish() -> str:
            connection.sendall(body)
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

        yield finish


def test_the_api_is_not_ready_first_and_a_client_that_heeds_that_loses_no_request(orderflow: Installation) -> None:
    service = orderflow.start("serve", "--no-consumers", STOP_GRACE_SECONDS=LONG_ENOUGH)
    url = service.url

    with load(url) as placing:
        eventually(lambda: len(placing.acknowledged) > 20)
        service.process.send_signal(signal.SIGTERM)
        seen = eventually(lambda: (answer := readiness(url))[0] != 200 and answer)
        after = len(placing.acknowledged)
        eventually(lambda: len(placing.acknowledged) > after, that="it still answers in its grace")

    assert seen == STOPPING
    assert placing.broken == []
    assert service.exit_code() == 0
    assert orderflow.count("orders") == len(placing.acknowledged)


def test_while_it_ends_each_answer_closes_its_connection(orderflow: Installation) -> None:
    service = orderflow.start("serve", "--no-consumers", STOP_GRACE_SECONDS="60", STOP_SECONDS="90")
    with httpx.Client(base_url=service.url) as client:
        before = client.get("/livez").headers.get("connection")

        service.process.send_signal(signal.SIGTERM)

        eventually(lambda: client.get("/livez").headers.get("connection") == "close")
    assert before is None


def test_a_slow_request_is_answered_after_the_door_is_shut_and_a_live_stream_closes(orderflow: Installation) -> None:
    service = orderflow.start("serve", "--no-consumers")
    placed = httpx.post(f"{service.url}/v1/orders", content=order_json("o1"), headers=CUSTOMER, timeout=180)
    stream_url = f"{service.url}/v1/orders/o1/stream"
    with begun(service.url) as finish, httpx.stream("GET", stream_url, headers=CUSTOMER, timeout=180) as stream:
        lines = stream.iter_lines()
        first = next(lines)
        service.process.send_signal(signal.SIGTERM)
        rest = list(lines)
        eventually(lambda: readiness(service.url)[0] == 0, that="the port is closed")
        at_the_other_door = readiness(service.operations)

        answer = finish()

    assert (placed.status_code, first) == (201, "id: 1")
    assert "" in rest
    assert at_the_other_door == STOPPING
    assert answer.startswith("HTTP/1.1 201 ")
    assert service.exit_code() == 0
    assert orderflow.count("orders") == 2


def test_a_request_that_never_finishes_is_cut_off_at_the_deadline_and_named(orderflow: Installation) -> None:
    service = orderflow.start("serve", "--no-consumers", STOP_SECONDS="1")

    with begun(service.url):
        ended = service.exit_code(signal.SIGTERM)

    assert ended == 1
    under_way = [it for it in service.line("cut off")["under_way"] if it not in BACKGROUND]
    assert under_way == ["POST /v1/orders", "api"]


def test_a_second_signal_cuts_off_at_once(orderflow: Installation) -> None:
    service = orderflow.start("serve", "--no-consumers", STOP_SECONDS="600")

    with begun(service.url):
        service.process.send_signal(signal.SIGTERM)
        service.line("stopping")
        ended = service.exit_code(signal.SIGTERM)

    assert ended == 1
    assert service.line("cut off")["reason"] == "a second signal: SIGTERM"


def test_a_consumer_whose_mail_server_never_answers_is_cut_off_at_the_deadline(orderflow: Installation) -> None:
    orderflow.run("contacts", "set", "customer:C1", "--email", "c1@example.com")
    placed = orderflow.stack.command_line("orders", "create", "-", stdin=order_json("o1"))
    assert placed.code == 0, placed
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        port = str(silent.getsockname()[1])
        email = {"NOTIFICATION_CHANNELS": "email", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": port}
        consumer = orderflow.start("consume", "notifications", STOP_SECONDS="1", **email)
        connection, _ = silent.accept()
        with connection:
            ended = consumer.exit_code(signal.SIGTERM)

    assert ended == 1
    assert consumer.line("cut off")["under_way"] == ["notifications"]


def members(kafka: KafkaBroker, group: str) -> int:
    """Count the members of the group; 0 while that changes."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    try:
        described = admin.describe_consumer_groups([group])[group].result(120)
    except KafkaException:
        return 0
    return len(described.members) if described.state is ConsumerGroupState.STABLE else 0


@contextmanager
def cursors_held(database_url: str, *, waiting: int) -> Iterator[None]:
    """Block all writes of cursors in the block, which begins when so many wait."""
    with asyncio.Runner() as here:
        connection = here.run(asyncpg.connect(database_url))
        here.run(connection.execute("BEGIN; LOCK TABLE cursors IN EXCLUSIVE MODE"))
        waits = "SELECT count(*) FROM pg_locks WHERE relation = 'cursors'::regclass AND NOT granted"
        eventually(lambda: here.run(connection.fetchval(waits)) >= waiting, that=f"{waiting} wait")
        try:
            yield
        finally:
            here.run(connection.close())


def test_of_two_relays_and_two_consumers_one_of_each_ends_and_the_other_takes_over_at_once(
    on_kafka: Installation, kafka: KafkaBroker
) -> None:
    service = on_kafka.start("serve", "--no-consumers", **LONGER_THAN_THE_TEST)  # has the relay that stays
    leaving_relay = on_kafka.start("relay", **LONGER_THAN_THE_TEST)
    leaving_consumer, _ = (on_kafka.start("consume", "analytics", **LONGER_THAN_THE_TEST) for _ in range(2))
    all_leaving = (leaving_relay, leaving_consumer)
    groups = [f"{on_kafka.stack.topic}-{group}" for group in ("relay", "analytics")]
    for group in groups:
        eventually(lambda group=group: members(kafka, group) == 2, every=0.2, that=f"two in {group}")

    with load(service.url) as placing:
        eventually(lambda: len(placing.acknowledged) > 50)
        for leaving in all_leaving:
            eventually(lambda url=leaving.operations: readiness(url)[0] == 200, every=0.2, that="it is ready")
        with cursors_held(on_kafka.stack.database_url, waiting=4):
            for leaving in all_leaving:
                leaving.process.send_signal(signal.SIGTERM)
            seen = [
                eventually(lambda url=leaving.operations: (answer := readiness(url))[0] != 200 and answer)
                for leaving in all_leaving
            ]
        ended = [leaving.exit_code() for leaving in all_leaving]
        after = len(placing.acknowledged)
        eventually(lambda: len(placing.acknowledged) > after + 50)

    assert seen == [STOPPING, STOPPING]
    assert ended == [0, 0]
    assert placing.broken == []
    caught_up = {"relay": 0, "analytics": 0}
    eventually(lambda: lags_of(on_kafka).items() >= caught_up.items(), every=0.2, that="both caught up")
    assert [members(kafka, group) for group in groups] == [1, 1]
    assert on_kafka.run("check")["clean"]


def lags_of(orderflow: Installation) -> dict[str, int]:
    return {lag["reader"]: lag["events"] for lag in orderflow.run("lag")}


def test_all_in_one_under_load_ends_in_order_and_another_goes_on_where_it_was(on_kafka: Installation) -> None:
    first = on_kafka.start("serve", STOP_GRACE_SECONDS=LONG_ENOUGH)
    with load(first.url) as placing:
        eventually(lambda: len(placing.acknowledged) > 50)
        first.process.send_signal(signal.SIGTERM)
        eventually(lambda: readiness(first.url)[0] != 200)
    ended = first.exit_code()

    on_kafka.start("serve", "--no-api")
    checked = on_kafka.run("check", "--wait", "60")

    assert ended == 0
    assert placing.broken == []
    assert "Traceback" not in first.said()
    assert checked["clean"]
    compared = {each["unit"]: each["compared"] for each in checked["report"]["comparisons"]}
    assert compared["orders"] == len(placing.acknowledged)
