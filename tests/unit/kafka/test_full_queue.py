"""A dead letter for which the client's queue has no room is copied later. The client is a double."""

from datetime import UTC, datetime

import pytest
from orderflow.adapters.kafka import KafkaSettings, dead_letter_topic
from orderflow.adapters.kafka.client import ReportingProducer
from orderflow.adapters.kafka.dead_letter_topic import KafkaDeadLetterTopic
from orderflow.application.consuming.dead_letter import DeadLetter
from orderflow.domain.errors import StreamUnavailable
from pytest_mock import MockerFixture

from .test_relay_generations import record

AT = datetime(2024, 5, 17, tzinfo=UTC)


async def test_a_full_queue_is_an_unavailable_topic_and_the_next_copies_have_a_new_client(
    mocker: MockerFixture,
) -> None:
    full, fresh = (mocker.create_autospec(ReportingProducer, instance=True) for _ in range(2))
    for client in (full, fresh):
        client.client_errors = mocker.MagicMock()
        client.client_errors.explain.side_effect = str
        client.flush.return_value = 0
    full.produce.side_effect = BufferError("Local: Queue full")
    mocker.patch.object(dead_letter_topic, "producer", side_effect=[full, fresh])
    topic = KafkaDeadLetterTopic(KafkaSettings(bootstrap_servers="nowhere"))
    copied = [DeadLetter(consumer="analytics", record=record(0, 1), first_failed_at=AT, last_failed_at=AT)]

    with pytest.raises(StreamUnavailable, match="QUEUE_FULL"):
        await topic.put(copied)
    await topic.put(copied)
    await topic.close()

    fresh.produce.assert_called_once()
