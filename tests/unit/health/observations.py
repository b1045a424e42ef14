"""Looks at an installation that is well, to be made ill in one thing."""

from datetime import timedelta
from typing import Any

from attrs import evolve
from orderflow.application.health.doctor import Expectations, diagnosis
from orderflow.application.health.facts import ClockOffset, DatabaseFacts, GroupFacts, StreamFacts, TopicFacts
from orderflow.application.health.lag import ReaderLag
from orderflow.application.health.observation import Observation
from orderflow.application.health.processes import KnownProcess, Part, Process
from orderflow.application.rollout.rollout import RolloutState

from tests.unit.domain.actors import AT

CONSUMERS = ("notifications", "analytics", "inventory")

WANTED = Expectations(
    version="0.1.0",
    topic="order-events",
    partitions=3,
    replication=3,
    retention_ms=-1,
    with_kafka=True,
    consumers=CONSUMERS,
    open_to="",
    pool_size=10,
    message_bytes=1_000_000,
)

POSTGRESQL = DatabaseFacts(
    kind="postgresql",
    version="17.2",
    took=0.001,
    schema="0004",
    migrations=("0001", "0002", "0003", "0004"),
    clock=ClockOffset(0.01, 0.001),
    size=20_000_000,
    settings={
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "off",
        "fsync": "on",
        "full_page_writes": "on",
        "idle_in_transaction_session_timeout": "1min",
        "in_hot_standby": "off",
        "lock_timeout": "10s",
        "reserved_connections": "0",
        "server_encoding": "UTF8",
        "server_version_num": "170002",
        "superuser_reserved_connections": "3",
        "synchronous_commit": "on",
        "synchronous_standby_names": "",
    },
    connections=20,
    max_connections=200,
)

SQLITE = DatabaseFacts(
    kind="sqlite",
    version="3.45.0",
    took=0.0001,
    schema="0004",
    migrations=("0001", "0002", "0003", "0004"),
    clock=ClockOffset(0.0, 0.0001),
    size=200_000,
    settings={"busy_timeout": "10000", "journal_mode": "wal", "synchronous": "2"},
)

TOPIC = TopicFacts(
    name="order-events",
    partitions=3,
    replication=3,
    min_insync=2,
    retention_ms=-1,
    retention_bytes=-1,
    cleanup_policy="delete",
    max_message_bytes=1_048_588,
    starts={0: 0, 1: 0, 2: 0},
    ends={0: 100, 1: 100, 2: 100},
)

STREAM = StreamFacts(
    cluster="c1",
    brokers=("b1:9092", "b2:9092", "b3:9092"),
    took=0.002,
    topic=TOPIC,
    groups={
        name: GroupFacts(name=f"order-events-{name}", members=1, committed={0: 100, 1: 100, 2: 100})
        for name in ("relay", *CONSUMERS)
    },
    clock=ClockOffset(-0.01, 0.005),
)


def known(part: str, *, silent: float = 1.0, clock_ahead: float = 0.0, version: str = "0.1.0") -> KnownProcess:
    """A process that runs ``part``."""
    process = Process(id=part, version=version, host="kitchen-1", pid=42, started_at=AT, parts=(Part(part),))
    return KnownProcess(
        process=process, last_seen_at=AT - timedelta(seconds=silent), silent=silent, clock_ahead=clock_ahead
    )


def lag(reader: str, events: int = 0, **more: Any) -> ReaderLag:
    return ReaderLag(**{"reader": reader, "position": 300, "events": events, "held": 0, "paused": False, **more})


HEALTHY = Observation(
    at=AT,
    database=POSTGRESQL,
    stream=STREAM,
    processes=[known(part) for part in ("api", "relay", *CONSUMERS)],
    head=300,
    readers=[lag(name) for name in ("relay", *CONSUMERS)],
    waiting={},
    parked={},
    latest=[],
    rollout=RolloutState(),
    tokens=True,
    customer_tokens=False,
    prices=False,
)


def with_database(**changes: Any) -> Observation:
    return evolve(HEALTHY, database=evolve(POSTGRESQL, **changes))


def with_settings(**changes: str) -> Observation:
    return with_database(settings={**POSTGRESQL.settings, **changes})


def with_sqlite(**changes: str) -> Observation:
    return evolve(HEALTHY, database=evolve(SQLITE, settings={**SQLITE.settings, **changes}))


def with_topic(**changes: Any) -> Observation:
    return evolve(HEALTHY, stream=evolve(STREAM, topic=evolve(TOPIC, **changes)))


def with_group(reader: str, **changes: Any) -> Observation:
    groups = {**STREAM.groups, reader: evolve(STREAM.groups[reader], **changes)}
    return evolve(HEALTHY, stream=evolve(STREAM, groups=groups))


def codes(observation: Observation, wanted: Expectations = WANTED) -> list[str]:
    """Return the codes of the findings, without repetition."""
    return list(dict.fromkeys(finding.code for finding in diagnosis(observation, wanted).findings))
