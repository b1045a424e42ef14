"""The sources of the tests' Kafka, in order."""

import os

from docker.errors import DockerException

from ..servers import MissingServer, docker_answers, started
from .broker import KafkaBroker
from .container import IMAGE, ContainerKafka
from .distribution import REMEDY
from .local import LocalKafka


def find_kafka(*, heap: str = "256m") -> KafkaBroker:
    """A running Kafka from the first source that has one: given address, container, this machine (with this heap).

    :raises MissingServer: when none has.
    """
    if given := os.environ.get("ORDERFLOW_TEST_KAFKA"):
        return started(KafkaBroker(given))
    tried = ["ORDERFLOW_TEST_KAFKA is not set"]
    if docker_answers():
        try:
            return started(ContainerKafka())
        except DockerException as refusal:
            tried.append(f"Docker has no {IMAGE}: {refusal}")
    else:
        tried.append("no Docker engine answers")
    try:
        local = LocalKafka(heap=heap)
    except MissingServer as missing:
        raise MissingServer("Apache Kafka", tried + missing.tried, REMEDY) from missing
    return started(local)
