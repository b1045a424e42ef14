"""The relay's producer survives calls of librdkafka that hang or fail. The client is a double."""

from collections.abc import Iterator
from threading import Event

import pytest
from confluent_kafka import KafkaError, KafkaException
from orderflow.adapters.kafka.client import ReportingProducer
from orderflow.adapters.kafka.relay import transactional_producer
from orderflow.adapters.kafka.relay.transactional_producer import RelayProducer
from orderflow.adapters.kafka.settings import ClientObserver, KafkaSettings
from orderflow.domain.errors import StreamUnavailable
from pytest_mock import MockerFixture, MockType


@pytest.fixture
def never() -> Iterator[Event]:
    """Yield an event that is set at the end of the test, so that no thread keeps waiting."""
    event = Event()
    yield event
    event.set()


def client(mocker: MockerFixture) -> MockType:
    double = mocker.create_autospec(ReportingProducer, instance=True)
    double.client_errors = mocker.MagicMock()
    double.client_errors.explain.side_effect = str
    return double


@pytest.fixture
def clients(mocker: MockerFixture) -> list[MockType]:
    """Return the clients that the relay's producer creates, in order."""
    created = [client(mocker), client(mocker)]
    mocker.patch.object(transactional_producer, "producer", side_effect=created)
    return created


def publish(relay: RelayProducer) -> None:
    relay.publish((), {0: "note"}, b"generation", partitions=1, ends={0: 7})


def test_a_call_that_hangs_is_abandoned_uncommitted_and_a_new_producer_is_created(
    clients: list[MockType], never: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactional_producer, "_HANG_MARGIN", 0.05)
    stuck, fresh = clients
    stuck.send_offsets_to_transaction.side_effect = lambda *_: never.wait(60)
    relay = RelayProducer(KafkaSettings(bootstrap_servers="nowhere"), timeout=0.05)

    with pytest.raises(StreamUnavailable, match="sending the offsets did not finish"):
        publish(relay)
    publish(relay)

    stuck.commit_transaction.assert_not_called()
    fresh.send_offsets_to_transaction.assert_called_once()
    fresh.commit_transaction.assert_called_once()


def test_offsets_that_are_refused_are_not_committed(clients: list[MockType], mocker: MockerFixture) -> None:
    fenced = KafkaError(KafkaError.ILLEGAL_GENERATION, "another generation")
    clients[0].send_offsets_to_transaction.side_effect = KafkaException(fenced)
    observer = mocker.create_autospec(ClientObserver, instance=True)
    relay = RelayProducer(KafkaSettings(bootstrap_servers="nowhere", observer=observer), timeout=10)

    with pytest.raises(StreamUnavailable, match="another generation"):
        publish(relay)

    clients[0].commit_transaction.assert_not_called()
    clients[0].abort_transaction.assert_called_once()
    assert observer.mock_calls == [
        mocker.call.transaction_failed("ILLEGAL_GENERATION"),
        mocker.call.closed("relay"),
    ]
