"""The interface of a Kafka to the tests, the same for every source."""

import logging
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from ..process import last_words
from ..servers import Server, not_ours
from ..waiting import eventually
from . import distribution
from .secured import SecuredListener

_NOT_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
_quiet = logging.Logger("kafka-for-tests", logging.CRITICAL)


class KafkaBroker(Server):
    """An Apache Kafka that answers at ``bootstrap_servers``, of ``nodes`` nodes.

    This class is a Kafka that was given to the tests.
    What a subclass owns it can also start, stop and kill; a test that asks that of a given one is skipped by name.
    ``login_servers`` are the same brokers for USER with PASSWORD, ``secured`` is a listener with SASL_SSL, and ``logs``
    are its nodes' logs: those that are started here have them.
    """

    login_servers: str | None = None
    secured: SecuredListener | None = None
    logs: Sequence[Path] = ()

    def __init__(self, bootstrap_servers: str, *, nodes: int = 1) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.node_count = nodes

    def start(self) -> None:
        """Run, and return when it answers; with the data that it had when it was stopped or killed."""
        self.wait_ready()

    def stop(self) -> None:
        """End in order, keeping address and data for :meth:`start`."""
        not_ours("Kafka", "stop")

    def kill(self) -> None:
        """End at once (SIGKILL), keeping address and data for :meth:`start`."""
        not_ours("Kafka", "kill")

    def close(self) -> None:
        """Give back all that was made for the tests."""

    @contextmanager
    def down(self, *, kill: bool = False) -> Iterator[None]:
        """Kafka is away inside the block, stopped or killed, and there again after it."""
        if kill:
            self.kill()
        else:
            self.stop()
        try:
            yield
        finally:
            self.start()

    def wait_ready(self, *, deadline: float = 180.0) -> None:
        """Return when every node that is named answers a metadata request, and knows all the others.

        :raises AssertionError: at the deadline, in seconds.
        """
        for server in self.bootstrap_servers.split(","):
            admin = self._admin(server)

            def all_are_known(admin: AdminClient = admin) -> bool:
                self._still_running()
                metadata = _metadata(admin)
                return metadata is not None and len(metadata.brokers) >= self.node_count

            eventually(all_are_known, deadline=deadline, that=f"the Kafka at {server} knows {self.node_count} nodes")

    def create_topic(self, name: str, *, partitions: int = 3, config: dict[str, str] | None = None) -> None:
        """Make a topic and return when each partition has a leader that answers for it.

        :raises KafkaException: when Kafka refuses, such as a topic that is there already.
        """
        admin = self._admin()
        topic = NewTopic(name, num_partitions=partitions, config=config or {})
        admin.create_topics([topic], operation_timeout=60, request_timeout=100)[name].result(120)

        leaders: Mapping[int, int] | str = {}

        def every_partition_is_led() -> bool:
            nonlocal leaders
            leaders = _leaders(admin, name)
            return not isinstance(leaders, str) and len(leaders) == partitions and min(leaders.values()) >= 0

        def every_leader_answers() -> bool:
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            ends = admin.list_offsets({TopicPartition(name, p): latest for p in range(partitions)})
            try:
                return all(end.result(10).offset >= 0 for end in ends.values())
            except KafkaException as error:
                if error.args[0].code() in _NOT_YET:
                    return False
                raise

        try:
            eventually(every_partition_is_led, deadline=300, that=f"every partition of {name} has a leader")
        except AssertionError as error:
            error.add_note(f"the leaders by partition: {leaders}\n{self.last_words()}")
            raise
        eventually(every_leader_answers, that=f"the leader of every partition of {name} answers")

    def alter_topic(self, name: str, **config: str) -> None:
        """Change properties of a topic, with underscores for their dots.

        :raises KafkaException: when Kafka refuses.
        """
        changes = [
            ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        topic = ConfigResource(ResourceType.TOPIC, name, incremental_configs=changes)
        admin = self._admin()  # its futures fail when it is gone
        admin.incremental_alter_configs([topic])[topic].result(60)

    def tool(self, main: str, *arguments: str, deadline: float = 60.0) -> str:
        """Return the output of a command-line tool of Kafka, which is named by its main class.

        ``--bootstrap-server`` is the caller's to give, as not every tool takes it. Such classes are
        ``org.apache.kafka.tools.consumer.group.ConsumerGroupCommand``, ``org.apache.kafka.tools.TopicCommand``,
        ``org.apache.kafka.tools.consumer.ConsoleConsumer`` and ``kafka.tools.DumpLogSegments``.

        :raises AssertionError: when it fails, with what it said.
        :raises subprocess.TimeoutExpired: at the deadline, in seconds.
        :raises MissingServer: when this machine lacks Java or the jars.
        """
        done = subprocess.run(
            distribution.command(main, *arguments, heap="128m"),
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline,
        )
        assert done.returncode == 0, f"{main} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def last_words(self) -> str:
        """Return the ends of the logs of its nodes, as far as they are known."""
        return "\n".join(f"{log}: {last_words(log)}" for log in self.logs)

    def _still_running(self) -> None:
        """Raise RuntimeError when a process that should run has ended."""

    def _admin(self, servers: str = "") -> AdminClient:
        asked = servers or self.bootstrap_servers
        return AdminClient({"bootstrap.servers": asked, "log_level": 0, "reconnect.backoff.max.ms": 250}, logger=_quiet)


def _metadata(admin: AdminClient) -> ClusterMetadata | None:
    try:
        return admin.list_topics(timeout=10)
    except KafkaException:
        return None


def _leaders(admin: AdminClient, topic: str) -> Mapping[int, int] | str:
    """Return the leader of each partition of ``topic``, -1 without one, or why that is not known."""
    try:
        found = admin.list_topics(topic, timeout=10).topics[topic]
    except KafkaException as error:
        return str(error)
    if found.error is not None:
        return str(found.error)
    return {partition.id: partition.leader for partition in found.partitions.values()}
