"""The access rules of the security page let orderflow work, and keep other users from writing and from its groups."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from orderflow.entrypoints.settings import Settings
from orderflow.testing.orders import placed

from tests.support.here import Here, caught_up
from tests.support.kafka import KafkaBroker
from tests.support.pages import TREE

RULE = re.compile(r"^kafka-acls\.sh (.+)$", re.MULTILINE)
PASSWORD = "guest-password"


@pytest.fixture(scope="module")
def restricted(secured_kafka: KafkaBroker) -> str:
    """A topic with the rules of docs/secure-connections.md, which name nothing else."""
    topic_name = f"guarded-{uuid4().hex[:8]}"
    secured_kafka.create_topic(topic_name)
    rules = RULE.findall((TREE / "docs" / "secure-connections.md").read_text())
    assert len(rules) == 3
    for rule in rules:
        arguments = rule.replace("HOST", secured_kafka.bootstrap_servers).replace("order-events", topic_name).split()
        secured_kafka.tool("org.apache.kafka.tools.AclCommand", *arguments)
    return topic_name


@pytest.fixture
def guest(secured_kafka: KafkaBroker) -> Mapping[str, Any]:
    """The properties of another user of the cluster."""
    admin = AdminClient({"bootstrap.servers": secured_kafka.bootstrap_servers})
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    created = admin.alter_user_scram_credentials([UserScramCredentialUpsertion("guest", info, PASSWORD.encode())])
    created["guest"].result(30)
    return {**properties(secured_kafka), "sasl.username": "guest", "sasl.password": PASSWORD}


def properties(secured_kafka: KafkaBroker) -> dict[str, Any]:
    secured = secured_kafka.secured
    assert secured is not None
    return {
        "bootstrap.servers": secured.address,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": secured.user,
        "sasl.password": secured.password,
        "ssl.ca.location": str(secured.authority),
        "log_level": 0,
    }


async def test_orderflow_publishes_consumes_and_checks_under_the_rules(
    secured_kafka: KafkaBroker, restricted: str, sqlite_url: str
) -> None:
    kafka = properties(secured_kafka)
    del kafka["log_level"]
    here = Here(
        Settings(
            database_url=sqlite_url,
            kafka_bootstrap_servers=kafka.pop("bootstrap.servers"),
            topic=restricted,
            kafka=kafka,
        )
    )

    async with here.running() as container:
        await placed(container.storage(), "order-1")
        await caught_up(container)
        report = await container.check()()

    assert report.clean, report


async def test_another_user_cannot_write_to_the_topic(restricted: str, guest: Mapping[str, Any]) -> None:
    refused: list[KafkaError] = []
    producer = Producer({**guest, "message.timeout.ms": 30_000})

    producer.produce(restricted, b"{}", b"order-1", on_delivery=lambda error, _: refused.append(error))
    await asyncio.to_thread(producer.flush, 60)

    assert [error.code() for error in refused] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


async def test_another_user_cannot_use_a_relays_transactional_id(restricted: str, guest: Mapping[str, Any]) -> None:
    producer = Producer({**guest, "transactional.id": f"{restricted}-relay-1"})

    with pytest.raises(KafkaException) as refused:
        await asyncio.to_thread(producer.init_transactions, 60)

    assert refused.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


@pytest.mark.parametrize("group", ["relay", "analytics"])
async def test_another_user_cannot_join_a_group(restricted: str, guest: Mapping[str, Any], group: str) -> None:
    consumer = Consumer({**guest, "group.id": f"{restricted}-{group}"})
    consumer.subscribe(["another-topic"])

    refused = await asyncio.to_thread(consumer.poll, 60)
    await asyncio.to_thread(consumer.close)

    assert refused is not None
    assert (error := refused.error()) is not None
    assert error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED
