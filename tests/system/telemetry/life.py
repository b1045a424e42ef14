"""One installation's life on real servers, each part a process of its own, scraped at every turn of it."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
from attrs import define, field, frozen
from confluent_kafka import Producer
from orderflow.adapters import wire
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.adapters.telemetry.metrics.catalogue import Metric
from orderflow.application.event_log.records import LogRecord, bucket_of
from orderflow.testing.consumers.shop import Shop

from tests.support.databases import migrated_database
from tests.support.installation import Installation, RunningProcess, installation
from tests.support.kafka import KafkaBroker
from tests.support.metrics import Samples
from tests.support.postgres import PostgresServer
from tests.support.stack import Stack
from tests.support.waiting import eventually

BOSS = {"X-Actor": "admin:boss"}
DELIVERED, HELD, PARKED, SHORT, NOTIFIED = (
    "planted-delivered",
    "planted-held",
    "planted-parked",
    "planted-short",
    "planted-notified",
)
PLANTED = {
    "userId": "planted-customer",
    "restaurantId": "planted-restaurant",
    "address": {"street": "planted street 7", "city": "planted-city"},
}
SECRET_REASON = "the planted reason of Jane Doe"
QUICK = {"KAFKA_STATISTICS_INTERVAL_MS": "250"}
API, RELAY, CONSUMERS = "api", "relay", "consumers"
COMMANDS = {
    API: ("serve", "--no-relay", "--no-consumers"),
    RELAY: ("relay",),
    CONSUMERS: ("consume",),
}


@frozen
class Health:
    """The responses of one process's operations server while the database was away."""

    live: int
    ready: httpx.Response
    metrics: Samples


@define(eq=False)
class Life:
    """The observed metrics and responses of each process.

    ``unpublished`` is before any relay ran, ``refused`` of a relay that Kafka's client refused, ``paused`` and ``held``
    of the API while a consumer and the share were paused, ``end`` of each process, and ``outage`` of each while the
    database was away.
    """

    here: Installation
    postgres: PostgresServer
    running: dict[str, RunningProcess] = field(factory=dict)
    unpublished: Samples = field(init=False)
    refused: Samples = field(init=False)
    paused: Samples = field(init=False)
    held: Samples = field(init=False)
    end: dict[str, Samples] = field(factory=dict)
    outage: dict[str, Health] = field(factory=dict)
    after: dict[str, Samples] = field(factory=dict)
    log: Mapping[str, int] = field(factory=dict)

    def door(self, part: str) -> str:
        """The operations door of that process."""
        return str(self.running[part].line("operations")["url"])

    def scrape(self, part: str) -> Samples:
        return Samples.at(self.door(part))

    def complete(self, part: str) -> Samples:
        """Scrape the process until database and Kafka have answered in time."""
        return Samples.complete(self.door(part), with_topic=True)

    def everything(self) -> list[Samples]:
        during = [health.metrics for health in self.outage.values()]
        return [
            self.unpublished,
            self.refused,
            self.paused,
            self.held,
            *self.end.values(),
            *during,
            *self.after.values(),
        ]

    def start(self, part: str, **settings: str) -> None:
        self.running[part] = self.here.start(*COMMANDS[part], **QUICK, **settings)

    def ask(self, method: str, path: str, json: object = None) -> int:
        url = self.running[API].url
        return httpx.request(method, f"{url}{path}", json=json, headers=BOSS, timeout=180).status_code

    def order(self, order_id: str, lines: int = 1, **more: object) -> None:
        """Of 12.50 a line."""
        line = {"foodId": "planted-food", "foodName": "planted pizza", "price": 12.5, "quantity": 1}
        body = {"orderId": order_id, "orderDetails": [line] * lines, "paymentMethod": "cash", **PLANTED, **more}
        assert self.ask("POST", "/v1/orders", body) == 201

    def until(self, metric: Metric, value: float | None, part: str = API, **labels: str) -> None:
        """Wait until the series of that process with these labels add up to that value, or with None, exist."""

        def reached() -> bool:
            total = self.scrape(part).total(metric, **labels)
            return total > 0 if value is None else total == value

        eventually(reached, every=0.2, that=f"{metric.name} is {value or 'something'} at the {part}")

    def query(self, statement: str) -> Any:
        async def run() -> Any:
            connection = await asyncpg.connect(self.here.stack.database_url, timeout=60)
            try:
                return await connection.fetch(statement)
            finally:
                await connection.close()

        return asyncio.run(run())

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Refuse all connections to the database, and break the open ones."""
        name = urlsplit(self.here.stack.database_url).path.lstrip("/")
        self.postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        left = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
        eventually(lambda: self.postgres.ask(left) == 0, that="no client is connected, nor about to be")
        try:
            yield
        finally:
            self.postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


@contextmanager
def lived(folder: Path, postgres: PostgresServer, kafka: KafkaBroker, topic: str) -> Iterator[Life]:
    """A life from the first order to an outage; its processes end with it."""
    stack = Stack(folder, migrated_database(postgres), kafka.bootstrap_servers, topic)
    with installation(stack) as here:
        here.run("topics", "create")
        life = Life(here, postgres)
        for part in (API, CONSUMERS):
            life.start(part)
        _taken(life)
        _published(life)
        _stood_still(life)
        _gone_wrong(life, kafka, topic)
        _ended(life)
        yield life


def _taken(life: Life) -> None:
    """Orders are taken while no relay runs, of which the one with many lines is more than a kilobyte."""
    life.order(DELIVERED, lines=20)
    for state, more in (("preparing", {}), ("on_the_way", {"shipperId": "planted-shipper"}), ("delivered", {})):
        assert life.ask("PATCH", f"/v1/orders/{DELIVERED}/state", {"state": state, **more}) == 200
    life.order(SHORT, currency="EUR")
    assert life.ask("POST", f"/v1/orders/{SHORT}/cancel", {"reason": "Out of stock"}) == 200
    life.order(NOTIFIED, currency="EUR")
    assert life.ask("POST", f"/v1/orders/{NOTIFIED}/cancel", {"reason": SECRET_REASON}) == 200
    life.order(PARKED)
    assert life.ask("PATCH", f"/v1/orders/{PARKED}/state", {"state": "delivered"}) == 409
    assert life.ask("GET", f"/v1/planted-nowhere/{PARKED}") == 404
    life.unpublished = life.complete(API)


def _published(life: Life) -> None:
    """First by a relay whose client takes no record that large, then by one that does."""
    life.start(RELAY, KAFKA_MESSAGE_MAX_BYTES="1000")
    life.until(catalogue.TRANSACTION_ERRORS, None, RELAY)
    life.refused = life.complete(RELAY)
    life.running[RELAY].process.terminate()
    assert life.running[RELAY].exit_code() == 0
    life.here.run("rollout", "pause", "analytics", "--by", "ann", "--reason", "a test")
    life.start(RELAY)
    life.until(catalogue.LOG_WAITING, 0)
    life.paused = life.complete(API)
    life.here.run("rollout", "resume", "analytics", "--by", "ann", "--reason", "a test")
    life.until(catalogue.LAG, 0)


def _stood_still(life: Life) -> None:
    """The share is lowered to nothing for a while."""
    life.here.run("rollout", "set", "0", "--by", "ann", "--reason", "a test")
    life.running[RELAY].line("publishing 0 %")  # it reads the share again within a moment
    life.order(HELD)
    life.held = life.complete(API)
    life.here.run("rollout", "set", "100", "--by", "ann", "--reason", "a test")
    life.until(catalogue.LOG_WAITING, 0)
    life.until(catalogue.LAG, 0)


def _gone_wrong(life: Life, kafka: KafkaBroker, topic: str) -> None:
    """Delete an order's progress; then send the topic an unrecognized record, and one from the future."""
    life.query(f"DELETE FROM order_progress WHERE order_id = '{PARKED}'")
    assert life.ask("PATCH", f"/v1/orders/{PARKED}/state", {"state": "preparing"}) == 200
    life.until(catalogue.PARKED, 1, consumer="analytics")
    life.until(catalogue.LAG, 0)
    used = {bucket_of(order_id) for order_id in (DELIVERED, HELD, PARKED, SHORT, NOTIFIED)}
    free = next(name for name in map("planted-stray-{}".format, range(256)) if bucket_of(name) not in used)
    [stray] = asyncio.run(_one_record(free))
    stray = stray._replace(position=7)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, b"planted junk", b"planted-key", headers=[("planted", b"planted")])
    headers: Any = [*wire.headers(stray, source="/planted")]
    producer.produce(topic, stray.body, stray.order_id, headers=headers)
    assert producer.flush(30) == 0
    for consumer in ("notifications", "analytics", "inventory"):
        life.until(catalogue.FOREIGN, 1, consumer=consumer)
        life.until(catalogue.GAPS, None, CONSUMERS, consumer=consumer)


async def _one_record(order_id: str) -> list[LogRecord]:
    shop = Shop()
    await shop.order(order_id)
    return [*await shop.records()]


def _ended(life: Life) -> None:
    """Read all metrics again, also while the database is away and after it."""
    counted = life.query("SELECT type, count(*) AS many FROM order_events GROUP BY type ORDER BY type")
    life.log = {row["type"]: row["many"] for row in counted}
    life.end = {part: life.complete(part) for part in COMMANDS}
    with life.database_away():
        for part in COMMANDS:
            door = life.door(part)
            live, ready = (httpx.get(f"{door}/{path}", timeout=180) for path in ("livez", "readyz"))
            life.outage[part] = Health(live.status_code, ready, life.scrape(part))
    for part in COMMANDS:
        eventually(lambda p=part: httpx.get(f"{life.door(p)}/readyz").status_code == 200, that="ready")  # type: ignore[misc]
    life.after = {part: life.complete(part) for part in COMMANDS}
