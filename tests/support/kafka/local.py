"""Apache Kafka in KRaft mode on this machine's Java, in a temporary folder on loopback ports."""

import base64
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import field, frozen

from ..process import OwnProcess
from ..servers import free_port
from ..waiting import eventually
from . import distribution
from .broker import KafkaBroker
from .secured import LISTENER, SecuredListener

USER, PASSWORD = "orders", "kitchen"
"""The user of listeners that require a login."""


@frozen
class Front:
    """A further listener of a node, for clients that come through a proxy.

    The node listens on ``port`` and advertises ``advertised``, where the proxy listens.
    """

    port: int = field(factory=free_port)
    advertised: int = field(factory=free_port)


@frozen
class KafkaNode:
    """One node, broker and controller at once; ``process`` can be stopped, killed, paused and resumed by itself."""

    number: int
    port: int
    login_port: int
    controller_port: int
    secured: SecuredListener
    folder: Path
    process: OwnProcess
    fronts: Mapping[str, Front] = {}


class LocalKafka(KafkaBroker):
    """One node, or a cluster of three, each about 250 MB; ports and data outlive :meth:`stop` and :meth:`kill`.

    ``members`` are the nodes, for a test that stops, kills or pauses one of them; :meth:`start` brings back
    every node that is down. ``fronts`` are names (in capitals) of further ways in, of every node.

    :raises MissingServer: when this machine lacks Java or the jars.
    """

    login_servers: str
    secured: SecuredListener

    def __init__(self, nodes: int = 1, *, heap: str = "256m", fronts: Sequence[str] = ()) -> None:
        distribution.command("")  # nothing is made when Java or the jars are missing
        self._home = Path(tempfile.mkdtemp(prefix="orderflow-kafka-"))
        self._heap = heap
        self._fronts = fronts
        self._formatted = False
        self.members = tuple(self._member(number) for number in range(1, nodes + 1))
        super().__init__(",".join(f"127.0.0.1:{member.port}" for member in self.members), nodes=nodes)
        self.login_servers = ",".join(f"127.0.0.1:{member.login_port}" for member in self.members)
        self.secured = self.members[0].secured
        self.logs = tuple(member.process.log for member in self.members)

    def start(self) -> None:
        if not self._formatted:
            self._format()
            self._formatted = True
            if len(self.members) == 1 and not distribution.class_archive().exists():
                self._archive_classes()
        for member in self.members:
            member.process.start()
        self.wait_ready()

    def stop(self) -> None:
        # All at once: a node that leaves in order asks the others to take over, who must not be gone.
        with ThreadPoolExecutor(len(self.members)) as threads:
            list(threads.map(lambda member: member.process.stop(), self.members))

    def kill(self) -> None:
        for member in self.members:
            member.process.kill()

    def close(self) -> None:
        self.kill()  # nothing of it is kept, so there is nothing to end in order
        shutil.rmtree(self._home, ignore_errors=True)

    def _member(self, number: int) -> KafkaNode:
        folder = self._home / f"node-{number}"
        folder.mkdir()
        command = distribution.command("kafka.Kafka", str(folder / "server.properties"), heap=self._heap)
        process = OwnProcess(command, log=folder / "server.log")
        secured = SecuredListener(folder, free_port())
        fronts = {name: Front() for name in self._fronts}
        return KafkaNode(number, free_port(), free_port(), free_port(), secured, folder, process, fronts)

    def servers_at(self, front: str) -> str:
        """The same brokers, for clients that come through the proxy before that front."""
        return ",".join(f"127.0.0.1:{member.fronts[front].advertised}" for member in self.members)

    def _format(self) -> None:
        cluster_id = _cluster_id()
        for member in self.members:
            member.secured.certify()
            settings = properties(member, self.members)
            path = member.folder / "server.properties"
            path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
            kind = ["--standalone"] if len(self.members) == 1 else []
            subprocess.run(
                distribution.command(
                    "kafka.tools.StorageTool",
                    "format",
                    *kind,
                    *("-t", cluster_id, "-c", str(path), "--add-scram", member.secured.credentials),
                    heap="128m",
                ),
                check=True,
                capture_output=True,
            )

    def _archive_classes(self) -> None:
        """Run once, and keep the classes that were loaded for the brokers that are made later."""
        archive = distribution.class_archive()
        written = archive.with_suffix(f".{os.getpid()}")  # by one process of several that begin at once
        process = self.members[0].process
        command = java, *arguments = process.command
        process.command = [java, f"-XX:ArchiveClassesAtExit={written}", *arguments]
        process.start()
        self.wait_ready()
        os.kill(process.pid, signal.SIGTERM)
        eventually(lambda: not process.running, deadline=300, that="the classes are archived")
        if written.exists():
            written.rename(archive)
        process.command = command

    def _still_running(self) -> None:
        for member in self.members:
            if not member.process.running:
                raise RuntimeError(f"Kafka node {member.number} has ended:\n{member.process.last_words()}")


def properties(node: KafkaNode, members: tuple[KafkaNode, ...]) -> dict[str, str]:
    """The configuration of one node of a cluster."""
    one = len(members) == 1
    quorum = (
        {"controller.quorum.bootstrap.servers": f"127.0.0.1:{node.controller_port}"}
        if one
        else {
            "controller.quorum.voters": ",".join(f"{each.number}@127.0.0.1:{each.controller_port}" for each in members)
        }
    )
    clients = f"PLAINTEXT://127.0.0.1:{node.port},LOGIN://127.0.0.1:{node.login_port}"
    secured = f"{LISTENER}://127.0.0.1:{node.secured.port}"
    fronts = "".join(f",{name}://127.0.0.1:{front.port}" for name, front in node.fronts.items())
    advertised = "".join(f",{name}://127.0.0.1:{front.advertised}" for name, front in node.fronts.items())
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "listeners": f"{clients},{secured},CONTROLLER://127.0.0.1:{node.controller_port}{fronts}",
        "advertised.listeners": f"{clients},{LISTENER}://{node.secured.address}{advertised}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": (
            f"PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,{LISTENER}:SASL_SSL,CONTROLLER:PLAINTEXT"
            + "".join(f",{name}:PLAINTEXT" for name in node.fronts)
        ),
        **node.secured.properties,
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.login.plain.sasl.jaas.config": (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "log.dirs": str(node.folder / "data"),
        **(ACCESS if one else {}),
        **quorum,
        **tuning(replicas=min(3, len(members))),
    }


ACCESS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "super.users": "User:ANONYMOUS",
}
"""A logged-in user may do what no test's rule forbids; others, such as the brokers themselves, everything."""


def tuning(*, replicas: int) -> dict[str, str]:
    """Return properties that make a small cluster start fast, stay small, and create no topic by itself."""
    in_sync = "1" if replicas == 1 else "2"
    return {
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # A transaction that has timed out is aborted at the next look: by default one every 10 s.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        "default.replication.factor": str(replicas),
        "min.insync.replicas": in_sync,
        "offsets.topic.num.partitions": "3",
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.num.partitions": "3",
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": in_sync,
        # A killed broker is let in again when its old session has ended. A single one that a busy machine keeps from
        # its heartbeat for so long has no partitions until the next one.
        "broker.session.timeout.ms": "15000" if replicas == 1 else "4000",
        "broker.heartbeat.interval.ms": "1000",
        # The default takes 128 MiB of a small heap.
        "log.cleaner.dedupe.buffer.size": "4194304",
        "log.cleaner.backoff.ms": "1000",
    }


def _cluster_id() -> str:
    """16 bytes in unpadded base64url; a leading dash would look like an option to Kafka's tools."""
    while (cluster_id := base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return cluster_id
