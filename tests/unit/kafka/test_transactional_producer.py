"""The relay's producer when librdkafka does not come back; its part is played by a double."""

from collections.abc import Iterator
from threading import Event

import pytest
from confluent_kafka import KafkaError, KafkaException
from orderflow.adapters.kafka.client import ReportingProducer
from orderflow.adapters.kafka.relay import transactional_producer as relay_producer
from orderflow.adapters.kafka.relay.transactional_producer import RelayProducer
from orderflow.adapters.kafka.settings import KafkaSettings
from orderflow.domain.errors import StreamUnavailable
from pytest_mock import MockerFixture, MockType


@pytest.fixture
def never() -> Iterator[Event]:
    """Set at the end of the test only, so that nobody waits after it."""
    event = Event()
    yield event
    event.set()


def client(mocker: MockerFixture) -> MockType:
    made = mocker.create_autospec(ReportingProducer, instance=True)
    made.client_errors = mocker.MagicMock()
    made.client_errors.instead_of.side_effect = str
    return made


@pytest.fixture
def clients(mocker: MockerFixture) -> list[MockType]:
    """Those that the relay's producer makes, one after the other."""
    both = [client(mocker), client(mocker)]
    mocker.patch.object(relay_producer, "producer", side_effect=both)
    return both


def publish(relay: RelayProducer) -> None:
    relay.publish((), {0: "note"}, b"generation", ends={0: 7})


def test_offsets_that_never_come_to_an_end_are_left_behind_uncommitted_and_another_producer_goes_on(
    clients: list[MockType], never: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_producer, "_LATE", 0.05)
    stuck, fresh = clients
    stuck.send_offsets_to_transaction.side_effect = lambda *_: never.wait(60)
    relay = RelayProducer(KafkaSettings(bootstrap_servers="nowhere"), timeout=0.05)

    with pytest.raises(StreamUnavailable, match="does not come to an end"):
        publish(relay)
    publish(relay)

    stuck.commit_transaction.assert_not_called()
    fresh.send_offsets_to_transaction.assert_called_once()
    fresh.commit_transaction.assert_called_once()


def test_offsets_that_are_refused_are_not_committed(clients: list[MockType]) -> None:
    fenced = KafkaError(KafkaError.ILLEGAL_GENERATION, "another generation")
    clients[0].send_offsets_to_transaction.side_effect = KafkaException(fenced)
    relay = RelayProducer(KafkaSettings(bootstrap_servers="nowhere"), timeout=10)

    with pytest.raises(StreamUnavailable, match="another generation"):
        publish(relay)

    clients[0].commit_transaction.assert_not_called()
    clients[0].abort_transaction.assert_called_once()
