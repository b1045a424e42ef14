"""Groups are asked about again while their coordinator is being found: just after Kafka began, say."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from orderflow.adapters.kafka.client import coordinating


@pytest.mark.parametrize(
    ("code", "passing"),
    [
        (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, True),
        (KafkaError.COORDINATOR_NOT_AVAILABLE, True),
        (KafkaError.NOT_COORDINATOR, True),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, False),
        (KafkaError.GROUP_ID_NOT_FOUND, False),
    ],
)
def test_only_what_passes_is_asked_again(code: int, passing: bool) -> None:
    assert coordinating(KafkaException(KafkaError(code))) is passing


def test_an_error_of_another_kind_is_not_asked_again() -> None:
    assert not coordinating(OSError())
