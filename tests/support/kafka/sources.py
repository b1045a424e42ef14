"""Where the tests' Kafka comes from, in order."""

import os

from docker.errors import DockerException

from ..servers import MissingServer, docker_answers, servers_required
from .broker import KafkaBroker
from .container import ContainerKafka
from .distribution import REMEDY
from .local import LocalKafka
from .mock import MockKafka


def find_kafka() -> KafkaBroker:
    """A running Kafka from the first source that has one: given address, container, this machine, stand-in.

    :raises MissingServer: when servers are required and no real one is to be had.
    """
    if given := os.environ.get("ORDERFLOW_TEST_KAFKA"):
        broker = KafkaBroker(given)
        broker.wait_ready()
        return broker
    tried = ["ORDERFLOW_TEST_KAFKA is not set"]
    if docker_answers():
        container = ContainerKafka()
        try:
            container.start()
        except DockerException as refusal:
            container.close()
            tried.append(f"Docker has no {container.image}: {refusal}")
        else:
            return container
    else:
        tried.append("no Docker engine answers")
    try:
        local = LocalKafka()
    except MissingServer as missing:
        if servers_required():
            raise MissingServer("Apache Kafka", tried + missing.tried, REMEDY) from missing
        stand_in = MockKafka()
        stand_in.start()
        return stand_in
    local.start()
    return local
