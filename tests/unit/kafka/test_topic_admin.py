"""A broker that has not heard of a new topic yet is asked again; a client that goes on failing is replaced."""

from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from orderflow.adapters.kafka import KafkaSettings, TopicAdmin, topic_admin
from orderflow.adapters.kafka.client_errors import ClientErrors
from orderflow.domain.errors import NotFound, StreamUnavailable

UNKNOWN = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
CONFIG = {"cleanup.policy": "delete", "min.insync.replicas": "2", "retention.ms": "-1"}


class Brokers:
    """A cluster whose answers about a new topic are ``answers``, and then that it is there."""

    def __init__(self, metadata: Sequence[KafkaError | None], configs: Sequence[KafkaError | None]) -> None:
        self.metadata, self.configs = list(metadata), list(configs)

    def create_topics(self, topics: Sequence[Any], **options: Any) -> dict[str, "Future[Any]"]:
        return {topics[0].topic: _done(None, None)}

    def list_topics(self, topic: str, **options: Any) -> Any:
        error = self.metadata.pop(0) if self.metadata else None
        partition = SimpleNamespace(leader=1, replicas=[1, 2, 3])
        return SimpleNamespace(topics={topic: SimpleNamespace(error=error, partitions={} if error else {0: partition})})

    def describe_configs(self, resources: Sequence[Any], **options: Any) -> dict[Any, "Future[Any]"]:
        values = {name: SimpleNamespace(value=value) for name, value in CONFIG.items()}
        return {resources[0]: _done(values, self.configs.pop(0) if self.configs else None)}


class Unreachable(Brokers):
    """A client that has lost its brokers."""

    client_errors = ClientErrors({})

    def list_topics(self, topic: str, **options: Any) -> Any:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def poll(self, timeout: float) -> int:
        return 0


def _done(value: object, error: KafkaError | None) -> "Future[Any]":
    future: Future[Any] = Future()
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(KafkaException(error))
    return future


@pytest.mark.parametrize(
    "brokers", [Brokers([], [UNKNOWN, UNKNOWN]), Brokers([None, UNKNOWN], [])], ids=["configs", "metadata"]
)
async def test_a_topic_that_was_just_made_is_described(brokers: Brokers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_admin, "admin", lambda settings: brokers)
    admin = TopicAdmin(KafkaSettings(bootstrap_servers="127.0.0.1:1", topic="orders"))

    assert await admin.create(partitions=1)
    assert (await admin.describe()).min_insync == 2


async def test_a_topic_that_nobody_made_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_admin, "admin", lambda settings: Brokers([UNKNOWN], []))

    with pytest.raises(NotFound):
        await TopicAdmin(KafkaSettings(bootstrap_servers="127.0.0.1:1", topic="orders")).describe()


async def test_a_client_that_still_fails_after_a_while_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    now, clients = [0.0], [Unreachable([], []), Brokers([], [])]
    monkeypatch.setattr(topic_admin, "admin", lambda settings: clients.pop(0))
    admin = TopicAdmin(KafkaSettings(bootstrap_servers="127.0.0.1:1", topic="orders"), clock=lambda: now[0])

    for now[0] in (1.0, 2.0, 32.0):
        with pytest.raises(StreamUnavailable):
            await admin.ping()

    assert await admin.partitions() == 1
