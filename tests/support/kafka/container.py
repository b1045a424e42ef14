"""Apache Kafka's own image in a container."""

from testcontainers.core.container import DockerContainer

from ..servers import free_port
from .broker import KafkaBroker
from .distribution import version
from .local import tuning

IMAGE = f"apache/kafka:{version()}"


class ContainerKafka(KafkaBroker):
    """One node in a container of its own, on a fixed port so that a restart keeps the address."""

    def __init__(self) -> None:
        port = free_port()
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://localhost:9093",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": "1@localhost:9093",
            **tuning(replicas=1),
        }
        self._container = DockerContainer(
            IMAGE,
            env={f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()},
        ).with_bind_ports(9092, port)
        self._made = False
        super().__init__(f"127.0.0.1:{port}")

    def start(self) -> None:
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made = True
        self.wait_ready(deadline=120)

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def close(self) -> None:
        self._container.stop()
