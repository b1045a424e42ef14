"""The settings of the Kafka clients."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from attrs import Attribute, field, frozen

from ...domain.errors import InvalidInput

RESERVED = frozenset(
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
"""Properties on which orderflow's promises rest, with their aliases. They cannot be set."""


class ClientObserver(Protocol):
    """Receives statistics and errors of every client of this process, each on its own thread. It must not raise."""

    def statistics(self, client: str, statistics: str) -> None:
        """Receive the statistics of the client with this name, as JSON, every few seconds."""
        ...

    def closed(self, client: str) -> None:
        """Note that the client with this name was closed: it has no connection, and reports nothing any more."""
        ...

    def transaction_failed(self, error: str) -> None:
        """Count a failed transaction of the relay. ``error`` is librdkafka's name of the error."""
        ...


def _refuse_reserved(_: object, __: "Attribute[Mapping[str, str]]", properties: Mapping[str, str]) -> None:
    for name in properties:
        if name in RESERVED:
            raise InvalidInput(
                f"kafka.{name}",
                "orderflow's promises rest on this property, so it cannot be set",
                f"any librdkafka property except {', '.join(sorted(RESERVED))}",
            )


def _read_only(properties: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({name: str(value) for name, value in properties.items()})


@frozen(kw_only=True)
class KafkaSettings:
    """One topic of one cluster.

    ``source`` is the CloudEvents source of published events. ``properties`` are passed to librdkafka and override
    orderflow's defaults (``linger.ms``, ``compression.type``, ``session.timeout.ms``, ...). Raises InvalidInput for
    the properties on which orderflow's promises rest: ``acks``, ``request.required.acks``,
    ``enable.idempotence``, ``enable.gapless.guarantee``, ``max.in.flight``,
    ``max.in.flight.requests.per.connection``, ``retries``, ``message.send.max.retries``, ``transactional.id``,
    ``isolation.level``, ``enable.auto.commit``, ``enable.auto.offset.store``, ``enable.partition.eof``,
    ``auto.offset.reset``, ``group.id``, ``group.instance.id``, ``group.protocol``, ``group.remote.assignor``,
    ``partition.assignment.strategy``, ``bootstrap.servers`` and ``metadata.broker.list``.
    """

    bootstrap_servers: str
    topic: str = "order-events"
    source: str = "/orderflow"
    properties: Mapping[str, str] = field(factory=dict, repr=False, converter=_read_only, validator=_refuse_reserved)
    observer: ClientObserver | None = field(default=None, eq=False, repr=False)

    @property
    def relay_group(self) -> str:
        """The consumer group that all relays of this topic form."""
        return f"{self.topic}-relay"

    def consumer_group(self, consumer: str) -> str:
        """Return the name of the consumer group of this consumer."""
        return f"{self.topic}-{consumer}"
