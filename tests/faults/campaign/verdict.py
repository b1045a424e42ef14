"""The invariants of what the campaign leaves, each with how much was compared."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
from attrs import define, field, frozen
from confluent_kafka import Consumer, KafkaError, TopicPartition
from orderflow.application.check import CheckReport
from orderflow.application.check.report import Comparison
from orderflow.testing.consumers.webhook_receiver import Receiver

from ..invariants import ACKNOWLEDGED, CONVERGED, CURSORS
from .deployment import TOPIC
from .failing_handler import POISON, POISONED_EVENT
from .workload import Workload

DENSE = "positions in each bucket and versions in each order are dense from 1"
ON_TOPIC = "the topic holds the log's events, each once, each bucket and order ascending without a gap"
PARKED = "each poison event is parked with its context, its followers behind it"
REDRIVEN = "redrive leaves none parked"
WEBHOOKS = "the webhook receiver has each event of its restaurant, each order's in sequence"
SILENT = "planted secrets and personal data are nowhere"

Address = tuple[int, int]


@frozen
class Record:
    """A record as a bare client sees it."""

    bucket: int
    position: int
    order_id: str
    sequence: int
    said: bytes


@define
class Topic:
    """The topic's content: committed ``records``, those of a partition in order, and the number ``aborted``."""

    records: list[Record] = field(factory=list)
    aborted: int = 0
    leaks: list[str] = field(factory=list)


def read_topic(bootstrap_servers: str, planted: re.Pattern[bytes]) -> Topic:
    """All of the topic, twice: what is committed, and what was ever written."""
    topic = Topic()
    for message in _scan(bootstrap_servers, "read_committed"):
        headers = {name: bytes(value or b"") for name, value in message.headers() or ()}
        value = message.value() or b""
        record = Record(
            int(headers["bucket"]),
            int(headers["position"]),
            (message.key() or b"").decode(),
            int(headers["sequence"]),
            value,
        )
        topic.records.append(record)
        if found := planted.search(b" ".join([value, message.key() or b"", *headers.values()])):
            topic.leaks.append(f"record of order {record.order_id}, event {record.sequence}: {found[0]!r}")
    topic.aborted = sum(1 for _ in _scan(bootstrap_servers, "read_uncommitted")) - len(topic.records)
    return topic


def _scan(bootstrap_servers: str, level: str) -> Any:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "verdict",
            "isolation.level": level,
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    try:
        left = set(consumer.list_topics(TOPIC, timeout=60).topics[TOPIC].partitions)
        consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in left])
        until = monotonic() + 300
        while left:
            if monotonic() > until:
                raise AssertionError(f"partitions {sorted(left)} cannot be read to their end")
            for message in consumer.consume(5_000, 0.2):
                until = monotonic() + 300
                if (error := message.error()) is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                else:
                    raise AssertionError(str(error))
    finally:
        consumer.close()


async def check_webhooks(
    connection: asyncpg.Connection, receiver: Receiver, restaurant: str, report: CheckReport
) -> None:
    """Compare the messages that the receiver accepted, each at its first arrival, with the events of each order."""
    sent = report.start(WEBHOOKS, "events")
    expected: dict[str, list[int]] = defaultdict(list)
    for row in await connection.fetch(
        "SELECT e.order_id, e.sequence FROM order_events AS e JOIN orders ON orders.id = e.order_id "
        "WHERE orders.restaurant_id = $1 ORDER BY 1, 2",
        restaurant,
    ):
        expected[row["order_id"]].append(row["sequence"])
        sent.compared += 1
    came = {order_id: list(dict.fromkeys(sequences)) for order_id, sequences in receiver.accepted().items()}
    for order_id in expected.keys() | came.keys():
        if came.get(order_id) != expected.get(order_id):
            sent.differ(f"order {order_id}", f"{came.get(order_id)} came, its events are {expected.get(order_id)}")
    if unsigned := sum(not it.verified for it in receiver.received):
        sent.differ("signatures", f"{unsigned} were not valid")


async def check_log_and_topic(connection: asyncpg.Connection, topic: Topic, report: CheckReport) -> None:
    """Invariants 2, 4 and 5 once more, by a bare client on either side."""
    dense, once = report.start(DENSE, "events"), report.start(ON_TOPIC, "records")
    log: dict[Address, tuple[str, int, bytes]] = {}
    positions: Counter[int] = Counter()
    sequences: dict[str, set[int]] = defaultdict(set)
    rows = await connection.fetch("SELECT bucket, position, order_id, sequence, body FROM order_events ORDER BY 1, 2")
    for bucket, position, order_id, sequence, body in rows:
        dense.compared += 1
        positions[bucket] += 1
        if position != positions[bucket]:
            dense.differ(f"bucket {bucket}", f"position {position} stands at {positions[bucket]}")
        sequences[order_id].add(sequence)
        log[bucket, position] = order_id, sequence, body
    versions = {row["id"]: row["version"] for row in await connection.fetch("SELECT id, version FROM orders")}
    for order_id, seen in sequences.items():
        if seen != set(range(1, versions.get(order_id, 0) + 1)):
            dense.differ(f"order {order_id}", f"has {sorted(seen)}, its row is at {versions.get(order_id)}")
    compare_topic(topic, log, once)


def compare_topic(topic: Topic, log: dict[Address, tuple[str, int, bytes]], once: Comparison) -> None:
    at: Counter[int] = Counter()
    of_order: Counter[str] = Counter()
    for record in topic.records:
        once.compared += 1
        where = f"bucket {record.bucket}, position {record.position}"
        at[record.bucket] += 1
        of_order[record.order_id] += 1
        if record.position != at[record.bucket]:
            once.differ(where, f"stands where {at[record.bucket]} should")
        if record.sequence != of_order[record.order_id]:
            once.differ(where, f"order {record.order_id}: event {record.sequence} after {of_order[record.order_id]}")
        if log.pop((record.bucket, record.position), None) != (record.order_id, record.sequence, record.said):
            once.differ(where, "is not what the log holds, or stands there twice")
    for bucket, position in log:
        once.differ(f"bucket {bucket}, position {position}", "is not on the topic")


async def check_requests(connection: asyncpg.Connection, workload: Workload, asked: int, report: CheckReport) -> None:
    """Invariants 1 and 7."""
    acknowledged, converged = report.start(ACKNOWLEDGED, "requests"), report.start(CONVERGED, "requests")
    versions = {row["id"]: row["version"] for row in await connection.fetch("SELECT id, version FROM orders")}
    kept = {row[0]: row[1] for row in await connection.fetch("SELECT key, md5(response) FROM idempotency_keys")}
    for key, it in workload.acknowledged.items():
        acknowledged.compared += 1
        if versions.get(it.order_id, 0) < it.version:
            acknowledged.differ(
                key, f"order {it.order_id} is at {versions.get(it.order_id)}, acknowledged was {it.version}"
            )
        if kept.get(key) != it.digest:
            converged.differ(key, "another answer is kept than was given")
    converged.compared = asked
    wanted = sum(it.creates for it in workload.acknowledged.values())
    if len(versions) != wanted:
        converged.differ("orders", f"{len(versions)} are there, {wanted} were asked for")
    for key in workload.unknown.keys() - workload.acknowledged.keys():
        converged.differ(key, "was never answered")
    for strange in workload.strange:
        converged.differ("answers", strange)


async def check_parked(connection: asyncpg.Connection, poison: Sequence[str], report: CheckReport) -> None:
    """The first half of invariant 8, before anything is redriven. ``poison`` are the orders with such an event."""
    parked = report.start(PARKED, "dead letters")
    dead_letters: Mapping[str, list[asyncpg.Record]] = defaultdict(list)
    for row in await connection.fetch("SELECT * FROM dead_letters ORDER BY consumer, order_id, sequence"):
        dead_letters[row["order_id"]].append(row)
        parked.compared += 1
        if POISON.fullmatch(row["order_id"]) is None:
            parked.differ(f"order {row['order_id']}", f"is parked, and no event of it is poison: {row['message']}")
    for order_id in poison:
        version = await connection.fetchval("SELECT version FROM orders WHERE id = $1", order_id)
        [*found] = dead_letters[order_id]
        if [row["sequence"] for row in found] != list(range(POISONED_EVENT, (version or 0) + 1)):
            parked.differ(f"order {order_id}", f"at {version} has dead letters {[row['sequence'] for row in found]}")
            continue
        parked_by = POISON.fullmatch(order_id)
        first = found[0]
        lacks = [
            name
            for name, there in {
                "the class of its error": first["error"] == "PoisonEvent",
                "its traceback": "PoisonEvent" in first["trace"],
                "its attempts": first["attempts"] >= 3,
                "its times": first["first_failed_at"] <= first["last_failed_at"],
                "where it was read": first["topic"] == TOPIC and None not in (first["partition"], first["offset"]),
                "its consumer": parked_by is not None and first["consumer"] == parked_by["consumer"],
            }.items()
            if not there
        ]
        for lack in lacks:
            parked.differ(f"order {order_id}, event {first['sequence']}", f"lacks {lack}")
        for row in found[1:]:
            if row["error"]:
                parked.differ(f"order {order_id}, event {row['sequence']}", f"was tried: {row['error']}")


def check_cursors(looks: int, gone_back: Sequence[str], report: CheckReport) -> None:
    cursors = report.start(CURSORS, "looks")
    cursors.compared = looks
    for problem in gone_back:
        cursors.differ("cursor", problem)


async def check_secrets(
    connection: asyncpg.Connection, logs: Sequence[Path], planted: re.Pattern[bytes], report: CheckReport
) -> Comparison:
    """Invariant 10: in no line of a log, no dead letter, and, once it is read, no record (``check_leaks``)."""
    silent = report.start(SILENT, "log lines, records and dead letters")
    for log in logs:
        for number, line in enumerate(log.read_bytes().splitlines(), 1):
            silent.compared += 1
            if found := planted.search(line):
                silent.differ(f"{log.name}, line {number}", repr(found[0]))
    for row in await connection.fetch("SELECT * FROM dead_letters"):
        silent.compared += 1
        if found := planted.search(repr(dict(row)).encode()):
            silent.differ(f"dead letter of order {row['order_id']}", repr(found[0]))
    return silent


def check_leaks(topic: Topic, silent: Comparison) -> None:
    silent.compared += len(topic.records)
    for leak in topic.leaks:
        silent.differ("topic", leak)
