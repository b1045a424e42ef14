"""Reading the committed cursors fails if Kafka reports an error for a partition. Its client is a double."""

import pytest
from confluent_kafka import KafkaError
from orderflow.adapters.kafka.client import ReportingConsumer
from orderflow.adapters.kafka.relay import committed_cursors
from orderflow.adapters.kafka.relay.committed_cursors import KafkaCommittedCursors
from orderflow.adapters.kafka.settings import KafkaSettings
from orderflow.domain.errors import StreamUnavailable
from pytest_mock import MockerFixture


async def test_an_error_for_one_partition_does_not_count_as_no_cursor(mocker: MockerFixture) -> None:
    client = mocker.create_autospec(ReportingConsumer, instance=True)
    client.client_errors = mocker.MagicMock()
    client.client_errors.explain.side_effect = str
    moving = KafkaError(KafkaError.NOT_COORDINATOR, "the coordinator has moved")
    client.committed.return_value = [mocker.MagicMock(partition=0, metadata="", error=moving)]
    mocker.patch.object(committed_cursors, "consumer", return_value=client)
    mocker.patch.object(committed_cursors, "partitions", return_value={0: None})

    with pytest.raises(StreamUnavailable, match="the coordinator has moved"):
        await KafkaCommittedCursors(KafkaSettings(bootstrap_servers="nowhere")).committed()
