"""Where Kafka is, and what may be said to its client."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from attrs import Attribute, field, frozen

from ...domain.errors import InvalidInput

OURS = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.gapless.guarantee",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "group.remote.assignor",
        "isolation.level",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "message.send.max.retries",
        "metadata.broker.list",
        "partition.assignment.strategy",
        "request.required.acks",
        "retries",
        "transactional.id",
    }
)
"""The properties on which the promises rest, each with its other names."""


class ClientObserver(Protocol):
    """Told by every client of this process, each from its own thread; it must not raise."""

    def statistics(self, client: str, said: str) -> None:
        """librdkafka's statistics (JSON) about the client that is called so here, every few seconds."""
        ...

    def transaction_failed(self, error: str) -> None:
        """A transaction of the relay was given up; ``error`` is librdkafka's name of why."""
        ...


def _passable(_: object, __: "Attribute[Mapping[str, str]]", properties: Mapping[str, str]) -> None:
    for name in properties:
        if name in OURS:
            raise InvalidInput(
                f"kafka.{name}",
                "orderflow's promises rest on this property, so it sets it itself",
                f"any librdkafka property except {', '.join(sorted(OURS))}",
            )


def _sealed(properties: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({name: str(value) for name, value in properties.items()})


@frozen(kw_only=True)
class KafkaSettings:
    """One topic of one cluster.

    ``source`` is the CloudEvents source of what is published. ``properties`` go to librdkafka as they are; of the
    settings that orderflow merely prefers (``linger.ms``, ``compression.type``, ``session.timeout.ms``, ...) the
    caller's win. Raises InvalidInput for these, on which the promises rest: ``acks``, ``request.required.acks``,
    ``enable.idempotence``, ``enable.gapless.guarantee``, ``max.in.flight``,
    ``max.in.flight.requests.per.connection``, ``retries``, ``message.send.max.retries``, ``transactional.id``,
    ``isolation.level``, ``enable.auto.commit``, ``enable.auto.offset.store``, ``enable.partition.eof``,
    ``auto.offset.reset``, ``group.id``, ``group.instance.id``, ``group.protocol``, ``group.remote.assignor``,
    ``partition.assignment.strategy``, ``bootstrap.servers`` and ``metadata.broker.list``.
    """

    bootstrap_servers: str
    topic: str = "order-events"
    source: str = "/orderflow"
    properties: Mapping[str, str] = field(factory=dict, repr=False, converter=_sealed, validator=_passable)
    watch: ClientObserver | None = field(default=None, eq=False, repr=False)

    @property
    def relay_group(self) -> str:
        """The consumer group that all relays of this topic form."""
        return f"{self.topic}-relay"

    def consumer_group(self, consumer: str) -> str:
        """The consumer group of the consumer of that name."""
        return f"{self.topic}-{consumer}"
