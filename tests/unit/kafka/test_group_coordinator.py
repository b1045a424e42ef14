"""Requests about a group are retried while its coordinator is unavailable, such as after a start of Kafka."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from orderflow.adapters.kafka.client import coordinator_unavailable


@pytest.mark.parametrize(
    ("code", "retried"),
    [
        (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, True),
        (KafkaError.COORDINATOR_NOT_AVAILABLE, True),
        (KafkaError.NOT_COORDINATOR, True),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, False),
        (KafkaError.GROUP_ID_NOT_FOUND, False),
    ],
)
def test_only_transient_errors_are_retried(code: int, retried: bool) -> None:
    assert coordinator_unavailable(KafkaException(KafkaError(code))) is retried


def test_another_kind_of_error_is_not_retried() -> None:
    assert not coordinator_unavailable(OSError())
