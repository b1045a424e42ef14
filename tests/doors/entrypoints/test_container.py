"""Every profile builds, offers the same, and opens nothing by being built."""

import threading
from pathlib import Path

import pytest
from orderflow import InvalidInput, NotConfigured, Settings
from orderflow.adapters.kafka import KafkaEventSource
from orderflow.application.consuming.log_source import LogEventSource
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import BUILT_IN
from orderflow.entrypoints.wiring.lifespan import opened

UNREACHABLE = "127.0.0.1:9"
"""The discard port, which refuses connections."""
POSTGRESQL = f"postgresql://shop:secret@{UNREACHABLE}/shop"
PROFILES = {
    "memory": Settings(database_url="memory://"),
    "SQLite": Settings(database_url="sqlite:///profile.db"),
    "PostgreSQL without Kafka": Settings(database_url=POSTGRESQL),
    "PostgreSQL and Kafka": Settings(database_url=POSTGRESQL, kafka_bootstrap_servers=UNREACHABLE),
    "SQLite and Kafka": Settings(database_url="sqlite:///profile.db", kafka_bootstrap_servers=UNREACHABLE),
    "direct publishing": Settings(database_url=POSTGRESQL, kafka_bootstrap_servers=UNREACHABLE, publishing="direct"),
    "a topic for dead letters": Settings(
        database_url=POSTGRESQL, kafka_bootstrap_servers=UNREACHABLE, dead_letter_topic="dlq.order-events"
    ),
}
NEEDS_MORE = {"handle_batch", "redrive", "replay_events", "missed_events"}
"""Made for a consumer, which is their argument."""
NEEDS_OPEN = {"check", "lag", "rebuild_analytics", "compare_order", "rollout_status"}
"""Reckons with the number of buckets, which the open storage knows."""


@pytest.mark.parametrize("profile", PROFILES)
def test_every_provider_builds_and_nothing_is_opened(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    threads = set(threading.enumerate())
    container = container_for(PROFILES[profile])

    built = {name: provide() for name, provide in container.providers.items() if name not in NEEDS_MORE | NEEDS_OPEN}
    for consumer in built["consumers"].values():
        container.handle_batch(consumer)
        container.redrive(consumer=consumer)
        container.source()(consumer.name)

    assert tuple(built["consumers"]) == BUILT_IN
    assert set(threading.enumerate()) == threads
    assert list(tmp_path.iterdir()) == []


def test_both_profiles_have_the_same_attributes() -> None:
    embedded, production = container_for(PROFILES["SQLite"]), container_for(PROFILES["PostgreSQL and Kafka"])

    assert (embedded.profile(), production.profile()) == ("embedded", "production")
    assert embedded.providers.keys() == production.providers.keys()


def test_kafka_makes_the_profile() -> None:
    without, with_kafka = container_for(PROFILES["SQLite"]), container_for(PROFILES["SQLite and Kafka"])

    assert without.kafka() is None
    assert with_kafka.kafka().bootstrap_servers == UNREACHABLE


@pytest.mark.parametrize(
    ("profile", "source"),
    [("SQLite", LogEventSource), ("SQLite and Kafka", KafkaEventSource), ("direct publishing", LogEventSource)],
)
def test_consumers_read_the_topic_only_where_a_relay_writes_it(profile: str, source: type) -> None:
    container = container_for(PROFILES[profile])

    built = container.source()("analytics")

    assert isinstance(built, source)


async def test_a_topic_that_is_written_directly_is_not_held_to_the_log() -> None:
    settings = Settings(database_url="memory://", kafka_bootstrap_servers=UNREACHABLE, publishing="direct")
    container = container_for(settings)

    async with opened(container):
        report = await container.check()()

    assert [comparison.name for comparison in report.comparisons if comparison.skipped] == [
        "the topic holds the log's events"
    ]


async def test_direct_publishing_without_kafka_is_refused_at_the_opening() -> None:
    container, reached = container_for(Settings(database_url="memory://", publishing="direct")), []

    with pytest.raises(NotConfigured, match="direct publishing needs Kafka; set ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS"):
        async with opened(container):
            reached.append("open")

    assert reached == []


async def test_a_reserved_kafka_property_is_refused_at_the_opening() -> None:
    settings = Settings(database_url="memory://", kafka_bootstrap_servers=UNREACHABLE, kafka={"acks": "1"})
    container, reached = container_for(settings), []

    with pytest.raises(InvalidInput, match=r"kafka\.acks"):
        async with opened(container):
            reached.append("open")

    assert reached == []


def test_every_profile_has_instances_of_its_own() -> None:
    one, other = container_for(PROFILES["memory"]), container_for(PROFILES["memory"])

    assert one.storage() is one.storage()
    assert one.storage() is not other.storage()


def test_dead_letters_are_not_copied_unless_a_topic_is_set() -> None:
    without, with_topic = (
        container_for(PROFILES["SQLite and Kafka"]),
        container_for(PROFILES["a topic for dead letters"]),
    )

    assert (without.copying(), without.dead_letter_admin()) == (None, None)
    assert with_topic.copying() is not None
    assert with_topic.dead_letter_admin().settings.topic == "dlq.order-events"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (Settings(database_url="memory://", dead_letter_topic="dlq.order-events"), "needs Kafka"),
        (
            Settings(database_url="memory://", kafka_bootstrap_servers=UNREACHABLE, dead_letter_topic="order-events"),
            "another topic than ORDERFLOW_TOPIC",
        ),
    ],
)
async def test_a_topic_for_dead_letters_that_cannot_be_is_refused_before_anything_opens(
    settings: Settings, reason: str
) -> None:
    with pytest.raises((NotConfigured, InvalidInput), match=reason):
        async with opened(container_for(settings)):
            pass
