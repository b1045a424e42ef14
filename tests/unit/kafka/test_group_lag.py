"""The ends of partitions are asked of the leader that there is now."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from orderflow.adapters.kafka.group_lag import high_watermarks


class AfterAnElection:
    """An admin client that remembers the epoch before an election until it reads the metadata again."""

    def __init__(self) -> None:
        self.refreshed = False

    def list_topics(self, topic: str, timeout: float) -> None:
        self.refreshed = True

    def list_offsets(self, requests: Any, **_: Any) -> Any:
        answers = {}
        for partition in requests:
            answer: Future[Any] = Future()
            if self.refreshed:
                answer.set_result(SimpleNamespace(offset=7))
            else:
                answer.set_exception(KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH)))
            answers[partition] = answer
        return answers


def test_a_client_that_remembers_an_older_epoch_reads_the_metadata_again() -> None:
    client: Any = AfterAnElection()

    assert high_watermarks(client, "orders", [0, 1], 1.0) == {0: 7, 1: 7}
