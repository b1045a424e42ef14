"""The doctor's findings in a real Kafka, each provoked once."""

import socket
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from orderflow.adapters.kafka import KafkaSettings
from orderflow.adapters.kafka.health import KafkaHealth
from orderflow.adapters.sql import SqlStorage
from orderflow.application.health.doctor import clocks
from orderflow.application.health.facts import StreamFacts
from orderflow.application.health.processes import Part
from orderflow.testing.orders import placed
from orderflow.testing.processes import process

from tests.integration.health.conftest import Doctor
from tests.support.kafka import KafkaBroker
from tests.support.kafka.local import PASSWORD, USER
from tests.support.servers import free_port
from tests.support.waiting import eventually
from tests.unit.health.observations import HEALTHY, WANTED

SINGLE = "topic_replication"
"""The finding that a topic on a single broker always has."""


def login(kafka: KafkaBroker, password: str = PASSWORD) -> dict[str, str]:
    """Settings with a login."""
    if kafka.login_servers is None:
        pytest.skip("this Kafka was given, without a listener that asks for a login")
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.login_servers,
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": password,
    }


def admin(kafka: KafkaBroker) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})


def produce(kafka: KafkaBroker, topic: str, records: int) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for number in range(records):
        producer.produce(topic, b"x", partition=0, key=str(number))
    assert producer.flush(30) == 0


def commit(kafka: KafkaBroker, topic: str, reader: str, offset: int) -> None:
    """Commit an offset of the reader's group in partition 0."""
    asked = ConsumerGroupTopicPartitions(f"{topic}-{reader}", [TopicPartition(topic, 0, offset)])
    client = admin(kafka)
    for answer in client.alter_consumer_group_offsets([asked]).values():
        assert answer.result(30).topic_partitions[0].error is None


def forbid(kafka: KafkaBroker, kind: ResourceType, name: str, what: AclOperation) -> None:
    """USER may not do that any more."""
    rule = AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{USER}", "*", what, AclPermissionType.DENY)
    client = admin(kafka)
    client.create_acls([rule])[rule].result(30)


def test_a_topic_that_is_not_there(kafka_doctor: Doctor) -> None:
    answer = kafka_doctor()

    assert [finding["code"] for finding in answer.data["findings"]] == ["topic_missing"]
    assert kafka_doctor.topic in answer.data["findings"][0]["found"]
    assert answer.code == 1


def test_looking_for_a_topic_makes_none(kafka_doctor: Doctor, kafka: KafkaBroker) -> None:
    kafka_doctor()

    assert kafka_doctor.topic not in admin(kafka).list_topics(timeout=60).topics


def test_a_topic_as_the_settings_say(kafka_doctor: Doctor) -> None:
    copies = {"DEAD_LETTER_TOPIC": f"dlq.{kafka_doctor.topic}"}
    assert kafka_doctor.line(**copies)("topics", "create").code == 0

    answer = kafka_doctor(**copies)

    assert [finding["code"] for finding in answer.data["findings"]] == [SINGLE]
    assert answer.code == 0


def test_a_topic_with_other_settings(kafka_doctor: Doctor, kafka: KafkaBroker) -> None:
    config = {"retention.ms": "60000", "retention.bytes": "1000000", "cleanup.policy": "compact,delete"}
    config["max.message.bytes"] = "1000"
    kafka.create_topic(kafka_doctor.topic, partitions=2, config=config)

    found = kafka_doctor.findings(TOPIC_REPLICATION="3")

    assert found == {
        "topic_compacted": "cleanup.policy=compact,delete",
        "topic_max_message_bytes": "max.message.bytes=1000, required are 1000000",
        "topic_partitions": "2, configured are 3",
        SINGLE: "replication factor 1",
        "topic_fewer_copies": "replication factor 1, configured is 3",
        "topic_retention": "retention.ms=60000, configured is unlimited",
        "topic_retention_bytes": "retention.bytes=1000000",
    }


def test_a_topic_for_dead_letters_that_is_not_there_or_not_as_it_is_made(
    kafka_doctor: Doctor, kafka: KafkaBroker
) -> None:
    copies = f"dlq.{kafka_doctor.topic}"
    kafka.create_topic(kafka_doctor.topic, config={"retention.ms": "-1"})

    missing = kafka_doctor.findings(DEAD_LETTER_TOPIC=copies)
    kafka.create_topic(copies, partitions=1, config={"cleanup.policy": "compact", "max.message.bytes": "1000"})
    otherwise = kafka_doctor.findings(DEAD_LETTER_TOPIC=copies)
    unwanted = kafka_doctor.findings()

    assert (set(missing), set(unwanted)) == ({"dead_letter_topic_missing", SINGLE}, {SINGLE})
    assert copies in missing["dead_letter_topic_missing"]
    assert otherwise["dead_letter_topic_settings"] == (
        f"{copies}: 1, configured are 3; cleanup.policy=compact; retention.ms=604800000, configured is unlimited; "
        "max.message.bytes=1000, required are 1000000"
    )


def test_a_database_that_is_no_server_where_kafka_is_one(kafka_doctor: Doctor, sqlite_url: str) -> None:
    found = Doctor(sqlite_url, kafka_doctor.bootstrap_servers, kafka_doctor.topic).findings()

    assert set(found) == {"sqlite_in_production", "topic_missing"}


def test_events_that_are_gone_or_will_be_before_they_are_read(
    kafka_doctor: Doctor, own_database: str, kafka: KafkaBroker
) -> None:
    topic = kafka_doctor.topic
    kafka.create_topic(topic, config={"retention.ms": "3600000"})
    produce(kafka, topic, 10)
    for reader, offset in (("analytics", 3), ("inventory", 5), ("notifications", 10)):
        commit(kafka, topic, reader, offset)
    client = admin(kafka)
    for answer in client.delete_records([TopicPartition(topic, 0, 5)]).values():
        answer.result(30)
    doctor = Doctor(own_database, kafka.bootstrap_servers, topic)

    async def one_event(storage: SqlStorage) -> None:
        await placed(storage, "o1", at=datetime.now(UTC) - timedelta(minutes=40))
        for reader in ("relay", "notifications", "inventory", "analytics"):
            await storage.cursors.put(reader, await storage.log.heads() if reader in ("relay", "notifications") else {})

    doctor.storage(one_event)

    found = doctor.findings(TOPIC_RETENTION_HOURS="1")
    assert found["events_deleted"] == "analytics: 2 of partition 0"
    assert found["events_deleted_soon"].startswith("inventory is 24")
    assert "left" in found["events_deleted_soon"]


def test_a_relay_and_consumers_that_do_not_run(kafka_doctor: Doctor, own_database: str, kafka: KafkaBroker) -> None:
    kafka.create_topic(kafka_doctor.topic, config={"retention.ms": "-1"})
    doctor = Doctor(own_database, kafka.bootstrap_servers, kafka_doctor.topic)

    async def one_event(storage: SqlStorage) -> None:
        await placed(storage, "o1")

    doctor.storage(one_event)

    assert set(doctor.findings()) == {"relay_missing", "consumer_missing", SINGLE}


def test_a_group_without_members_although_its_consumer_runs(
    kafka_doctor: Doctor, own_database: str, kafka: KafkaBroker
) -> None:
    topic = kafka_doctor.topic
    kafka.create_topic(topic, config={"retention.ms": "-1"})
    produce(kafka, topic, 3)
    for reader in ("analytics", "inventory", "notifications"):
        commit(kafka, topic, reader, 1 if reader == "analytics" else 3)
    doctor = Doctor(own_database, kafka.bootstrap_servers, topic)

    async def all_run(storage: SqlStorage) -> None:
        parts = tuple(Part(name) for name in ("relay", "notifications", "analytics", "inventory"))
        await storage.processes.heartbeat(process(parts=parts), datetime.now(UTC))

    doctor.storage(all_run)

    found = doctor.findings()
    assert set(found) == {"group_without_members", SINGLE}
    assert found["group_without_members"] == f"group {topic}-analytics has no member, and 2 offsets to read"


async def test_a_clock_that_is_ahead_of_the_brokers(kafka: KafkaBroker, topic_name: str) -> None:
    kafka.create_topic(topic_name)
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)
    right = KafkaHealth(settings, {}, timeout=60)
    fast = KafkaHealth(settings, {}, timeout=60, clock=lambda: datetime.now(UTC) + timedelta(seconds=90))

    there, wrong = await right.facts(clock=True), await fast.facts(clock=True)

    await right.close()
    await fast.close()
    assert isinstance(there, StreamFacts)
    assert isinstance(wrong, StreamFacts)
    assert there.clock is not None
    assert there.clock.at_least < 20
    assert wrong.clock is not None
    assert wrong.clock.ahead == pytest.approx(-90, abs=20)
    assert _clocks(there) == []
    assert _clocks(wrong) == ["clock_kafka"]


async def test_asking_for_the_time_leaves_no_group_behind(kafka: KafkaBroker, topic_name: str) -> None:
    kafka.create_topic(topic_name)
    watch = KafkaHealth(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name), {}, timeout=60)

    await watch.facts(clock=True)

    await watch.close()
    client = admin(kafka)
    groups = client.list_consumer_groups(request_timeout=100).result().valid
    assert f"{topic_name}-doctor" not in [group.group_id for group in groups]


@pytest.mark.parametrize(
    ("sick", "code"),
    [
        ({"KAFKA_BOOTSTRAP_SERVERS": "nobody.invalid:9092"}, "kafka_no_such_host"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:0"}, "kafka_refused"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "kafka_tls"),
    ],
)
def test_a_kafka_that_cannot_be_reached_is_reported_with_the_reason(
    kafka_doctor: Doctor, sick: dict[str, str], code: str
) -> None:
    settings = {name: value.replace(":0", f":{free_port()}") for name, value in sick.items()}

    answer = kafka_doctor(**settings)

    assert [finding["code"] for finding in answer.data["findings"]] == [code]
    assert answer.code == 5


def test_a_login_that_is_right_is_let_in(kafka_doctor: Doctor, kafka: KafkaBroker) -> None:
    assert list(kafka_doctor.findings(**login(kafka))) == ["topic_missing"]


def test_a_wrong_password_is_called_that(kafka_doctor: Doctor, kafka: KafkaBroker) -> None:
    answer = kafka_doctor(**login(kafka, password="a-wrong-one"))

    assert [finding["code"] for finding in answer.data["findings"]] == ["kafka_authentication"]
    assert "a-wrong-one" not in answer.out + answer.err


def test_a_user_without_rights_sees_that_and_not_that_nothing_is_there(
    kafka_doctor: Doctor, kafka: KafkaBroker
) -> None:
    user, topic = login(kafka), kafka_doctor.topic
    kafka.create_topic(topic, config={"retention.ms": "-1"})

    forbid(kafka, ResourceType.GROUP, f"{topic}-doctor", AclOperation.READ)
    without_clock = kafka_doctor.line(**user)("--json", "doctor").data["findings"]
    forbid(kafka, ResourceType.TOPIC, topic, AclOperation.DESCRIBE)
    without_topic = kafka_doctor.findings(**user)

    assert [finding["code"] for finding in without_clock] == [SINGLE, "clock_kafka_unknown"]
    assert list(without_topic) == ["kafka_not_allowed"]


def test_who_comes_without_the_login_that_is_asked_for_is_dropped(kafka_doctor: Doctor, kafka: KafkaBroker) -> None:
    servers = login(kafka)["KAFKA_BOOTSTRAP_SERVERS"]

    def reported() -> bool:
        return list(kafka_doctor.findings(KAFKA_BOOTSTRAP_SERVERS=servers)) == ["kafka_dropped"]

    eventually(reported, that="a connection that is ended in time to be noticed is called dropped")


def test_a_kafka_that_says_nothing(kafka_doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        servers = f"127.0.0.1:{silent.getsockname()[1]}"
        found = kafka_doctor.findings(KAFKA_BOOTSTRAP_SERVERS=servers)

    assert list(found) == ["kafka_timeout"]


def _clocks(facts: StreamFacts) -> list[str]:
    return [finding.code for finding in clocks.check(evolve(HEALTHY, stream=facts), WANTED)]
