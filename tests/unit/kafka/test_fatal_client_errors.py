"""A producer that can do nothing any more is replaced, and nobody has to start a process again for that."""

from time import sleep
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from orderflow.adapters.kafka import direct_publisher as direct
from orderflow.adapters.kafka.client import ReportingProducer, hear
from orderflow.adapters.kafka.client_errors import ClientErrors
from orderflow.adapters.kafka.direct_publisher import DirectPublishing
from orderflow.adapters.kafka.settings import KafkaSettings
from orderflow.application.orders.write_set import WriteSet
from pytest_mock import MockerFixture

from tests.support.waiting import eventually_async
from tests.unit.domain.actors import place

FENCED = KafkaError(KafkaError._FENCED, "fenced", fatal=True)


def stand_in(mocker: MockerFixture, *polled: object) -> Any:
    """A client that answers, or raises, so when it is polled, and has heard no complaint."""
    client = mocker.create_autospec(ReportingProducer, instance=True)
    client.poll.side_effect = [*polled] if polled else lambda _: sleep(0.001)
    client.client_errors = mocker.MagicMock()
    return client


def test_what_it_raises_when_it_is_asked_for_its_complaints_is_one_of_them(mocker: MockerFixture) -> None:
    client = stand_in(mocker, KafkaException(FENCED))

    hear(client)

    client.client_errors.assert_called_once_with(FENCED)


def test_that_it_can_do_nothing_any_more_is_said_with_the_reason() -> None:
    client_errors = ClientErrors({})
    client_errors(FENCED)

    said = client_errors.instead_of(KafkaError(KafkaError._FATAL, "Fatal error"))

    assert "_FENCED" in said


async def test_direct_publishing_goes_on_with_another_one(
    mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_MARGIN", 0.05)
    failed, other = stand_in(mocker, KafkaException(FENCED)), stand_in(mocker)
    other.produce.side_effect = lambda *_, on_delivery, **__: on_delivery(None, None)
    made = mocker.patch.object(direct, "producer", side_effect=[failed, other])
    publishing = DirectPublishing(KafkaSettings(bootstrap_servers="nowhere"), patience=0.05)
    writes = WriteSet(events=[*place().events])

    await publishing.send(writes)
    await eventually_async(lambda: publishing._reports and not publishing._reports.is_alive(), that="it has failed")
    await publishing.send(writes)
    await publishing.close()

    assert made.call_count == 2
    assert (publishing.failed, publishing.sent) == (1, 1)
