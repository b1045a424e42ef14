"""Errors of clients of Kafka end no process: a producer with a fatal one is replaced, others are retried."""

from time import sleep
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from orderflow.adapters.kafka import direct_publisher as direct
from orderflow.adapters.kafka.client import OneThread, ReportingProducer, poll_errors
from orderflow.adapters.kafka.client_errors import ClientErrors
from orderflow.adapters.kafka.direct_publisher import DirectPublishing
from orderflow.adapters.kafka.known_brokers import KnownBrokers
from orderflow.adapters.kafka.settings import KafkaSettings
from orderflow.application.orders.write_set import WriteSet
from orderflow.domain.errors import StreamUnavailable
from pytest_mock import MockerFixture

from tests.support.waiting import eventually_async
from tests.unit.domain.actors import place

FENCED = KafkaError(KafkaError._FENCED, "fenced", fatal=True)


def client_double(mocker: MockerFixture, *results: object) -> Any:
    """Return a double of a client that returns or raises ``results`` when it is results."""
    client = mocker.create_autospec(ReportingProducer, instance=True)
    client.poll.side_effect = [*results] if results else lambda _: sleep(0.001)
    client.client_errors, client.brokers = mocker.MagicMock(), KnownBrokers()
    return client


def test_a_fatal_error_that_polling_raises_is_reported(mocker: MockerFixture) -> None:
    client = client_double(mocker, KafkaException(FENCED))

    poll_errors(client)

    client.client_errors.assert_called_once_with(FENCED)


def test_a_fatal_error_is_explained_by_the_one_reported_before() -> None:
    client_errors = ClientErrors({})
    client_errors(FENCED)

    problem = client_errors.explain(KafkaError(KafkaError._FATAL, "Fatal error"))

    assert "_FENCED" in problem


async def test_direct_publishing_continues_with_a_new_producer(
    mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_MARGIN", 0.05)
    failed, other = client_double(mocker, KafkaException(FENCED)), client_double(mocker)
    other.produce.side_effect = lambda *_, on_delivery, **__: on_delivery(None, None)
    created = mocker.patch.object(direct, "producer", side_effect=[failed, other])
    publishing = DirectPublishing(KafkaSettings(bootstrap_servers="nowhere"), timeout=0.05)
    writes = WriteSet(events=[*place().events])

    await publishing.send(writes)
    await eventually_async(lambda: publishing._poller and not publishing._poller.is_alive(), that="it has failed")
    await publishing.send(writes)
    await publishing.close()

    assert created.call_count == 2
    assert (publishing.failed, publishing.sent) == (1, 1)


async def test_an_error_that_a_call_does_not_translate_is_an_unavailable_stream() -> None:
    thread = OneThread("consumer-analytics")

    def rebalanced() -> None:
        raise KafkaException(KafkaError(KafkaError._STATE, "Erroneous state"))

    with pytest.raises(StreamUnavailable, match=r"consumer-analytics: Erroneous state \(_STATE\)"):
        await thread(rebalanced)
    thread.close()
