"""Each alert fires by its fault and clears after it, told by a real Prometheus that scrapes a running installation.

The rules are those of deploy/prometheus, in a hurry: LENGTHS and LIMITS say what becomes of their times. All else,
every expression above all, is as it ships. Faults that do not disturb each other are made together.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from attrs import define, field, frozen

from tests.support.commands import order_json
from tests.support.kafka import KafkaBroker, needs_real_kafka
from tests.support.postgres import PostgresServer
from tests.support.process import OwnProcess
from tests.support.prometheus import LocalPrometheus, Target, hurried
from tests.support.rules import RULES, alerts
from tests.support.servers import free_port, obtain, started
from tests.support.stack import PARTS, PROGRAM, Stack
from tests.support.waiting import eventually

LENGTHS = {"1m": "1s", "2m": "3s", "5m": "5s", "10m": "2s", "1h": "5s", "1w": "15s"}
LIMITS = {
    "orderflow:limit:stalled_seconds": 4,
    "orderflow:limit:relay_lag_seconds": 3,
    "orderflow:limit:consumer_lag_seconds": 3,
    "orderflow:limit:http_errors": 2,
    "orderflow:limit:state_seconds": 8,
    "orderflow:limit:compared_orders": 5,
}
API = ("serve", "--no-relay", "--no-consumers")
BOSS = {"X-Actor": "admin:boss", "Content-Type": "application/json"}


@define(eq=False)
class Ordering:
    """Somebody who places an order every tenth of a second, and cancels it, while ``coming`` is set."""

    client: httpx.Client
    coming: threading.Event = field(factory=threading.Event)
    over: threading.Event = field(factory=threading.Event)

    def __call__(self) -> None:
        number = 0
        while not self.over.wait(0.1):
            if self.coming.is_set():
                number += 1
                try:
                    self.place(f"o{number}")
                    self.cancel(f"o{number}")
                except httpx.TransportError:
                    continue  # the API's trouble is what is watched

    def place(self, order_id: str) -> None:
        self.client.post("/v1/orders", content=order_json(order_id), headers=BOSS)

    def cancel(self, order_id: str) -> None:
        self.client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "changed_my_mind"}, headers=BOSS)


@frozen
class Watched:
    """An installation that is ordered from and watched, and the servers that it stands on."""

    stack: Stack
    prometheus: LocalPrometheus
    ordering: Ordering
    postgres: PostgresServer
    kafka: KafkaBroker

    def execute(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.stack.database_url, timeout=10)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())


@pytest.fixture(scope="module")
def watched(
    postgres: PostgresServer, kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    needs_real_kafka(kafka, "a broker that goes and comes")
    stack = Stack(tmp_path_factory.mktemp("watched"), postgres.create_database(), kafka.bootstrap_servers, "watched")
    stack.run("db", "upgrade")
    stack.run("topics", "create")
    doors = {part: free_port() for part in (*PARTS, "api")}
    http = free_port()
    rules = hurried(RULES.read_text(encoding="utf-8"), lengths=LENGTHS, limits=LIMITS)
    targets = [Target(f"127.0.0.1:{port}", {"part": part}) for part, port in doors.items()]
    with ExitStack() as running:
        for part, port in doors.items():
            process = _process(stack, part, OPS_PORT=str(port), HTTP_PORT=str(http))
            running.callback(process.stop)
            process.start()
        prometheus = running.enter_context(obtain(lambda: started(LocalPrometheus(rules, targets))))
        client = running.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=5))
        ordering = running.enter_context(_in_background(Ordering(client)))
        here = Watched(stack, prometheus, ordering, postgres, kafka)
        ordering.coming.set()
        eventually(lambda: prometheus.query("orderflow:revenue:rate1h > 0"), deadline=90, that="revenue is watched")
        prometheus.wait_clear(deadline=60)
        yield here


def _process(stack: Stack, part: str, **settings: str) -> OwnProcess:
    environment = stack.environment | {f"ORDERFLOW_{name}": value for name, value in settings.items()}
    command = (*PROGRAM, *PARTS.get(part, API))
    process = stack.processes[part] = OwnProcess(command, stack.folder / f"{part}.log", environment=environment)
    return process


@contextmanager
def _in_background(ordering: Ordering) -> Iterator[Ordering]:
    thread = threading.Thread(target=ordering, daemon=True)
    thread.start()
    try:
        yield ordering
    finally:
        ordering.over.set()
        thread.join(30)


Fault = Callable[[Watched], AbstractContextManager[Any]]


@contextmanager
def a_consumer_is_stopped(here: Watched) -> Iterator[None]:
    process = here.stack.processes["notifications"]
    process.stop()
    try:
        yield
    finally:
        process.start()


@contextmanager
def a_handler_fails(here: Watched) -> Iterator[None]:
    """Analytics finds its own books wrong, one order after another."""
    names = [f"poison-{number}" for number in range(12)]
    for name in names:
        here.ordering.place(name)
    _count(here, "order_courses WHERE order_id LIKE 'poison-%'", len(names))
    here.execute("UPDATE order_courses SET events = -9 WHERE order_id LIKE 'poison-%'")
    for name in names:  # over several scrapes: a counter that is seen for the first time has not yet risen
        here.ordering.cancel(name)
        _count(here, f"dead_letters WHERE order_id = '{name}'", 1)
    try:
        yield
    finally:
        here.execute("UPDATE order_courses SET events = 1 WHERE order_id LIKE 'poison-%'")
        here.stack.run("dead-letters", "redrive", "analytics")


def _count(here: Watched, table: str, rows: int) -> None:
    async def enough() -> bool:
        connection = await asyncpg.connect(here.stack.database_url, timeout=10)
        try:
            return bool(await connection.fetchval(f"SELECT count(*) >= {rows} FROM {table}"))
        finally:
            await connection.close()

    eventually(lambda: asyncio.run(enough()), deadline=30, every=0.1, that=f"{rows} rows of {table}")


@contextmanager
def orders_are_left_alone(here: Watched) -> Iterator[None]:
    here.ordering.place("forgotten")
    try:
        yield
    finally:
        here.ordering.cancel("forgotten")


@contextmanager
def nobody_orders(here: Watched) -> Iterator[None]:
    here.ordering.coming.clear()
    try:
        yield
    finally:
        here.ordering.coming.set()


@contextmanager
def kafka_is_away(here: Watched) -> Iterator[None]:
    with here.kafka.down(kill=True):
        yield


@contextmanager
def the_database_is_away(here: Watched) -> Iterator[None]:
    here.postgres.stop()
    try:
        yield
    finally:
        here.postgres.start()


TOGETHER: Mapping[str, tuple[Sequence[Fault], Sequence[tuple[str, Mapping[str, str]]]]] = {
    "one consumer stopped, another failing, an order left alone": (
        (a_consumer_is_stopped, orders_are_left_alone, a_handler_fails),
        (
            ("OrderflowProcessDown", {"part": "notifications"}),
            ("OrderflowHandlerErrors", {"consumer": "analytics"}),
            ("OrderflowOrdersParked", {"consumer": "analytics"}),
            ("OrderflowConsumerLagGrowing", {"consumer": "notifications"}),
            ("OrderflowOrdersStuck", {"state": "waiting_for_shipper"}),
        ),
    ),
    "nobody orders": ((nobody_orders,), (("OrderflowRevenueDrop", {"currency": "USD"}),)),
    "Kafka is away": (
        (kafka_is_away,),
        (
            ("OrderflowKafkaNotReady", {"part": "relay"}),
            ("OrderflowRelayLagGrowing", {}),
            ("OrderflowPublishingStalled", {}),
        ),
    ),
    "the database is away": (
        (the_database_is_away,),
        (("OrderflowDatabaseNotReady", {"part": "api"}), ("OrderflowHttpErrors", {})),
    ),
}


@pytest.mark.parametrize(("faults", "expected"), TOGETHER.values(), ids=TOGETHER.keys())
def test_alerts_fire_by_their_fault_and_clear_after_it(
    watched: Watched, faults: Sequence[Fault], expected: Sequence[tuple[str, Mapping[str, str]]]
) -> None:
    before = watched.prometheus.firing()

    with ExitStack() as made:
        for fault in faults:
            made.enter_context(fault(watched))
        for name, labels in expected:
            watched.prometheus.wait_firing(name, deadline=60, **labels)

    watched.prometheus.wait_clear(deadline=90)
    assert before == set()


def test_every_alert_is_made_to_fire() -> None:
    made = {name for _, expected in TOGETHER.values() for name, _ in expected}

    assert made == set(alerts())
