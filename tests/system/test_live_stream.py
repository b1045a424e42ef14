"""The live stream of all orders over sockets: servers that are killed, and several processes on one database."""

import json
import os
import signal
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from attrs import define, field

from tests.support.commands import order_json
from tests.support.databases import migrated_database
from tests.support.installation import Installation, RunningProcess, installation
from tests.support.postgres import PostgresServer
from tests.support.servers import free_port
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tests.system.test_http_workers import worker_ids

BOSS = {"X-Actor": "admin:boss"}
CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}
PATIENCE = 120
RETRY = 0.05
"""Seconds after which the client connects again."""


@define(eq=False)
class Board:
    """A client that reads the stream, connects again whenever it is cut off, and keeps what a board shows."""

    url: str
    orders: dict[str, int] = field(factory=dict)
    """The version of each order, by its id."""
    got: list[tuple[str, int]] = field(factory=list)
    snapshots: int = 0
    connections: int = 0
    wrong: list[str] = field(factory=list)
    _place: str = ""
    _over: Event = field(factory=Event)

    def start(self) -> "Board":
        Thread(target=self._run, daemon=True).start()
        return self

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            while not self._over.wait(RETRY):
                try:
                    headers = BOSS | ({"Last-Event-ID": self._place} if self._place else {})
                    with client.stream("GET", f"{self.url}/v1/stream", headers=headers) as response:
                        if response.status_code == 200:
                            self.connections += 1
                            self._read(response.iter_lines())
                except httpx.HTTPError:
                    continue

    def _read(self, lines: Iterator[str]) -> None:
        message: dict[str, str] = {}
        for line in lines:
            if self._over.is_set():
                return
            name, _, value = line.partition(": ")
            if line:
                message[name] = value
                continue
            if "data" in message:
                self._take(message["event"], json.loads(message["data"]))
            self._place = message.get("id", self._place)
            message = {}

    def _take(self, event: str, data: Any) -> None:
        if event == "snapshot":
            self.snapshots += data["first"]
            if data["first"]:
                self.orders.clear()
            self.orders |= {order["orderId"]: order["version"] for order in data["orders"]}
        elif event != "end":
            order_id, sequence = data["orderId"], data["sequence"]
            if sequence != self.orders.get(order_id, 0) + 1:
                self.wrong.append(f"{order_id}: {sequence} after {self.orders.get(order_id, 0)}")
            self.orders[order_id] = sequence
            self.got.append((order_id, sequence))


def place(url: str, *order_ids: str) -> None:
    with httpx.Client(base_url=url, headers=CUSTOMER, timeout=PATIENCE) as client:
        for order_id in order_ids:
            answer = client.post("/v1/orders", content=order_json(order_id))
            assert answer.status_code == 201, answer.text


def prepare(url: str, *order_ids: str) -> None:
    with httpx.Client(base_url=url, headers=BOSS, timeout=PATIENCE) as client:
        for order_id in order_ids:
            client.patch(f"/v1/orders/{order_id}/state", json={"state": "preparing"}).raise_for_status()


def test_a_server_that_is_killed_and_started_again_leaves_no_gap_and_no_double(orderflow: Installation) -> None:
    port = str(free_port())
    service = orderflow.start("serve", "--no-consumers", HTTP_PORT=port)
    url = service.url
    place(url, "before")
    board = Board(url).start()
    eventually(lambda: "before" in board.orders, deadline=PATIENCE, that="the snapshot is there")

    for round_ in range(2):
        names = [f"{round_}-{number}" for number in range(4)]
        place(url, *names)
        prepare(url, *names[:2])
        service.process.kill()
        service.process.wait()
        service = orderflow.start("serve", "--no-consumers", HTTP_PORT=port)
        assert service.url == url
        prepare(url, *names[2:])
        eventually(lambda names=names: all(board.orders.get(name) == 2 for name in names), deadline=PATIENCE)  # type: ignore[misc]
    board.stop()

    assert board.wrong == []
    assert (board.snapshots, len(board.got)) == (1, 16)
    assert len(set(board.got)) == 16
    assert board.connections >= 3


@pytest.fixture(scope="module")
def two_workers(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProcess]:
    folder = tmp_path_factory.mktemp("workers")
    with installation(Stack(folder, migrated_database(postgres), "", "orders")) as orderflow:
        yield orderflow.start("serve", "--no-consumers", "--workers", "2")


def test_changes_of_every_worker_reach_the_streams_of_every_worker(two_workers: RunningProcess) -> None:
    url, before = two_workers.url, worker_ids(two_workers)
    boards = [Board(url).start() for _ in range(6)]
    eventually(lambda: all(board.connections for board in boards), deadline=PATIENCE)
    names = [f"o{number}" for number in range(20)]
    place(url, *names)
    eventually(lambda: all(len(board.orders) == 20 for board in boards), deadline=PATIENCE)

    os.kill(min(before), signal.SIGKILL)
    eventually(lambda: len(worker_ids(two_workers) - before) == 1, deadline=PATIENCE)
    prepare(url, *names)
    eventually(lambda: all(set(board.orders.values()) == {2} for board in boards), deadline=PATIENCE)
    for board in boards:
        board.stop()

    assert [board.wrong for board in boards] == [[]] * 6
    assert {board.snapshots for board in boards} == {1}


def test_a_ticket_is_good_once_on_every_worker(two_workers: RunningProcess) -> None:
    url, opened, refused = two_workers.url, 0, 0
    for _ in range(6):
        ticket = httpx.post(f"{url}/v1/stream-tickets", headers=BOSS, timeout=PATIENCE).json()["ticket"]
        for _ in range(2):
            with httpx.stream("GET", f"{url}/v1/stream?ticket={ticket}", timeout=PATIENCE) as response:
                opened += response.status_code == 200
                refused += response.status_code == 401

    assert (opened, refused) == (6, 6)
