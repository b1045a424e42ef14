"""Each alert fires by its fault and clears after it, in a real Prometheus that scrapes a running installation.

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
from tests.support.databases import migrated_database
from tests.support.kafka import KafkaBroker
from tests.support.postgres import PostgresServer
from tests.support.process import OwnProcess
from tests.support.prometheus import LocalPrometheus, Target, hurried
from tests.support.rules import RULES, alerts
from tests.support.servers import free_port, obtain, started
from tests.support.stack import PROGRAM, Stack
from tests.support.waiting import eventually

LENGTHS = {"1m": "1s", "2m": "3s", "5m": "5s", "10m": "2s", "1h": "5s", "1w": "15s"}
LIMITS = {
    "orderflow:limit:stalled_seconds": 4,
    "orderflow:limit:relay_lag_seconds": 3,
    "orderflow:limit:consumer_lag_seconds": 3,
    "orderflow:limit:http_errors": 2,
    "orderflow:limit:state_seconds": 5,
    "orderflow:limit:compared_orders": 5,
}
PARTS: Mapping[str, Sequence[str]] = {
    "api": ("serve", "--no-consumers"),
    "notifications": ("consume", "notifications"),
    "consumers": ("consume", "analytics", "inventory"),
}
BOSS = {"X-Actor": "admin:boss", "Content-Type": "application/json"}


@define(eq=False)
class OrderingClient:
    """A client that places an order every half second, and cancels it, while ``coming`` is set."""

    client: httpx.Client
    coming: threading.Event = field(factory=threading.Event)

    def __call__(self, over: threading.Event) -> None:
        number = 0
        while not over.wait(0.5):
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
class MonitoredInstallation:
    """An installation that is ordered from and watched, and the servers that it stands on."""

    stack: Stack
    prometheus: LocalPrometheus
    ordering: OrderingClient
    postgres: PostgresServer
    kafka: KafkaBroker

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Add the ends of the processes' logs to a failure."""
        try:
            yield
        except AssertionError as error:
            for part, process in self.stack.processes.items():
                error.add_note(f"{part}: {process.state}\n{process.last_words()}")
            raise

    def run(self, *arguments: str) -> Any:
        """Return the output of a command of the installation."""
        return self.stack.command_line.json(*arguments)

    def execute(self, statement: str) -> Any:
        """The first value that a statement gives."""

        async def run() -> Any:
            connection = await asyncpg.connect(self.stack.database_url, timeout=60)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(run())

    def count(self, rows: str) -> int:
        """Count the rows of a table, with or without a ``WHERE``."""
        return int(self.execute(f"SELECT count(*) FROM {rows}"))


@contextmanager
def in_background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run ``work`` in the background until the block ends, which sets its event."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(180)


@pytest.fixture(scope="module")
def watched(
    postgres: PostgresServer, own_kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MonitoredInstallation]:
    stack = Stack(
        tmp_path_factory.mktemp("watched"), migrated_database(postgres), own_kafka.bootstrap_servers, "watched"
    )
    stack.command_line.json("topics", "create")
    doors = {part: free_port() for part in PARTS}
    http = free_port()
    rules = hurried(RULES.read_text(encoding="utf-8"), lengths=LENGTHS, limits=LIMITS)
    targets = [Target(f"127.0.0.1:{port}", {"part": part}) for part, port in doors.items()]
    with ExitStack() as running:
        for part, port in doors.items():
            process = _process(stack, part, OPS_PORT=str(port), HTTP_PORT=str(http), STOP_GRACE_SECONDS="0")
            running.callback(process.kill)  # how they end is not what is watched here
            process.start()
        prometheus = running.enter_context(obtain(lambda: started(LocalPrometheus(rules, targets))))
        client = running.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=180))
        ordering = OrderingClient(client)
        ordering.coming.set()
        running.enter_context(in_background(ordering))
        eventually(lambda: prometheus.query("orderflow:revenue:rate1h > 0"), deadline=400, that="revenue is watched")
        prometheus.wait_clear(deadline=400)
        yield MonitoredInstallation(stack, prometheus, ordering, postgres, own_kafka)


def _process(stack: Stack, part: str, **settings: str) -> OwnProcess:
    environment = stack.environment | {f"ORDERFLOW_{name}": value for name, value in settings.items()}
    process = OwnProcess((*PROGRAM, *PARTS[part]), stack.folder / f"{part}.log", environment=environment)
    stack.processes[part] = process
    return process


Fault = Callable[[MonitoredInstallation], AbstractContextManager[Any]]


@contextmanager
def a_process_hangs(here: MonitoredInstallation) -> Iterator[None]:
    """The consumer notifications stands still, so that events which come after wait for it."""
    process = here.stack.processes["notifications"]
    process.pause()
    try:
        yield
    finally:
        process.resume()


@contextmanager
def a_handler_fails(here: MonitoredInstallation) -> Iterator[None]:
    """Analytics finds its own books wrong, for one order after another: a rate is seen only over several scrapes."""
    names = [f"poison-{number}" for number in range(60)]
    for name in names:
        here.ordering.place(name)
    poison = "order_progress WHERE order_id LIKE 'poison-%'"
    eventually(lambda: here.count(poison) == len(names), every=0.1, that="analytics knows all orders")
    here.execute("UPDATE order_progress SET events = -9 WHERE order_id LIKE 'poison-%'")

    def spoil(over: threading.Event) -> None:
        for name in names:
            if not over.wait(0.5):
                here.ordering.cancel(name)

    def handled_after_all() -> bool:
        here.run("dead-letters", "redrive", "analytics", "--by", "ann", "--reason", "the books are right again")
        return here.count("dead_letters") == 0

    try:
        with in_background(spoil):
            yield
    finally:
        here.execute("UPDATE order_progress SET events = 1 WHERE events = -9")
        for name in names:
            here.ordering.cancel(name)
        eventually(handled_after_all, that="no dead letter is left")


@contextmanager
def orders_are_left_alone(here: MonitoredInstallation) -> Iterator[None]:
    here.ordering.place("forgotten")
    try:
        yield
    finally:
        here.ordering.cancel("forgotten")


@contextmanager
def no_orders_come(here: MonitoredInstallation) -> Iterator[None]:
    here.ordering.coming.clear()
    try:
        yield
    finally:
        here.ordering.coming.set()


@contextmanager
def kafka_is_away(here: MonitoredInstallation) -> Iterator[None]:
    with here.kafka.down():  # in order: a killed one is let in again only after its session
        yield


@contextmanager
def the_database_is_away(here: MonitoredInstallation) -> Iterator[None]:
    here.postgres.stop()
    try:
        yield
    finally:
        here.postgres.start()


TOGETHER: Mapping[str, tuple[Sequence[Fault], Sequence[tuple[str, Mapping[str, str]]]]] = {
    "one consumer hangs, another fails, an order is left alone, and then no orders come": (
        (a_process_hangs, orders_are_left_alone, a_handler_fails, no_orders_come),
        (
            ("OrderflowProcessDown", {"part": "notifications"}),
            ("OrderflowHandlerErrors", {"consumer": "analytics"}),
            ("OrderflowOrdersParked", {"consumer": "analytics"}),
            ("OrderflowConsumerLagGrowing", {"consumer": "notifications"}),
            ("OrderflowOrdersStuck", {"state": "waiting_for_shipper"}),
            ("OrderflowRevenueDrop", {"currency": "USD"}),
        ),
    ),
    "Kafka is away": (
        (kafka_is_away,),
        (
            ("OrderflowKafkaNotReady", {"part": "api"}),
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
    watched: MonitoredInstallation, faults: Sequence[Fault], expected: Sequence[tuple[str, Mapping[str, str]]]
) -> None:
    with watched.explained():
        watched.prometheus.wait_clear(deadline=400)

        with ExitStack() as made:
            for fault in faults:
                made.enter_context(fault(watched))
            watched.prometheus.wait_each_fired(expected, deadline=400)

        watched.prometheus.wait_clear(deadline=400)


def test_nothing_is_lost_by_all_these_faults(watched: MonitoredInstallation) -> None:
    with no_orders_come(watched):
        checked = watched.run("check", "--wait", "120")

    assert checked["clean"]
    assert [each["name"] for each in checked["report"]["comparisons"] if each["skipped"]] == []


SHOWN_ELSEWHERE = (
    "OrderflowCertificateExpires",
    "OrderflowCertificateUnusable",
    "OrderflowNotificationsOverdue",
    "OrderflowOidcKeysUnread",
    "OrderflowPartStopped",
    "OrderflowPaymentsUnsettled",
    "OrderflowWebhooksOverdue",
)
"""Moved by test_undelivered.py, test_supervision.py, test_tls.py, test_api_by_tls.py and test_oidc_of_processes.py,
and fired by the rules' own tests in tests/project/deploy."""


def test_every_alert_is_made_to_fire() -> None:
    made = {name for _, expected in TOGETHER.values() for name, _ in expected}

    assert made | set(SHOWN_ELSEWHERE) == set(alerts())
    assert not made & set(SHOWN_ELSEWHERE)
