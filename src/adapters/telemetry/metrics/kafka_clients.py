"""Metrics from librdkafka's statistics, which its STATISTICS.md describes."""

import logging
from collections.abc import Collection
from typing import Any

import msgspec
from attrs import define, field

from . import catalogue
from .instruments import Instruments
from .labels import OTHER

_MICROSECONDS = 1e-6


class _RoundTrip(msgspec.Struct):
    """``cnt`` requests were answered in the interval; without any, the rest is unknown."""

    cnt: int = 0
    p50: int = 0
    p99: int = 0


class _Broker(msgspec.Struct):
    nodeid: int = -1
    state: str = ""
    txerrs: int = 0
    rxerrs: int = 0
    req_timeouts: int = 0
    rtt: _RoundTrip = msgspec.field(default_factory=_RoundTrip)


class _Partition(msgspec.Struct):
    fetchq_cnt: int = 0
    fetchq_size: int = 0


class _Topic(msgspec.Struct):
    partitions: dict[str, _Partition] = {}


class _Statistics(msgspec.Struct):
    """The fields that are used; msgspec skips the rest."""

    name: str = ""
    msg_cnt: int = 0
    msg_size: int = 0
    brokers: dict[str, _Broker] = {}
    topics: dict[str, _Topic] = {}


logger = logging.getLogger("orderflow.kafka")
_decode = msgspec.json.Decoder(_Statistics).decode


@define(eq=False)
class KafkaClients:
    """Observes every Kafka client of this process, each from its own thread, every few seconds."""

    instruments: Instruments
    _errors: dict[str, dict[tuple[str, int], int]] = field(factory=dict, init=False)
    """The errors so far of each broker that an instance of a client knows, by the client's name."""

    def statistics(self, client: str, statistics: str) -> None:
        """Set the metrics of ``client`` by librdkafka's JSON."""
        try:
            decoded = _decode(statistics)
        except msgspec.DecodeError as error:  # a callback of librdkafka's must not raise
            logger.warning("statistics not understood", extra={"client": client, "problem": str(error)})
            return
        fetched = [partition for topic in decoded.topics.values() for partition in topic.partitions.values()]
        messages = decoded.msg_cnt + sum(partition.fetchq_cnt for partition in fetched)
        size = decoded.msg_size + sum(partition.fetchq_size for partition in fetched)
        self._set_queue(client, messages, size)
        for broker in decoded.brokers.values():
            if broker.nodeid >= 0:  # the others are bootstrap addresses
                self._broker(client, decoded.name, broker)
        self._forget(client, decoded.name, {broker.nodeid for broker in decoded.brokers.values()})

    def closed(self, client: str) -> None:
        """Set what a closed ``client`` would leave behind as it was last: its connections and its queue."""
        for _, node in self._errors.pop(client, ()):
            self.instruments.set(catalogue.BROKER_UP, 0.0, client=client, broker=str(node))
        self._set_queue(client, 0, 0)

    def _forget(self, client: str, instance: str, nodes: Collection[int]) -> None:
        """Set the connections of ``instance`` to brokers other than ``nodes`` as ended: librdkafka forgot these."""
        known = self._errors.get(client, {})
        for node in [node for each, node in known if each == instance and node not in nodes]:
            del known[instance, node]
            self.instruments.set(catalogue.BROKER_UP, 0.0, client=client, broker=str(node))

    def transaction_failed(self, error: str) -> None:
        """Count an aborted transaction; ``error`` is librdkafka's name of the reason."""
        self.instruments.add(catalogue.TRANSACTION_ERRORS, error=error or OTHER)

    def _set_queue(self, client: str, messages: int, size: int) -> None:
        self.instruments.set(catalogue.QUEUE_MESSAGES, messages, client=client)
        self.instruments.set(catalogue.QUEUE_BYTES, size, client=client)

    def _broker(self, client: str, instance: str, broker: _Broker) -> None:
        labels: dict[str, Any] = {"client": client, "broker": str(broker.nodeid)}
        quantiles = {"0.5": broker.rtt.p50, "0.99": broker.rtt.p99} if broker.rtt.cnt else {}
        for quantile, microseconds in quantiles.items():
            self.instruments.set(catalogue.BROKER_ROUND_TRIP, microseconds * _MICROSECONDS, **labels, quantile=quantile)
        self.instruments.set(catalogue.BROKER_UP, float(broker.state == "UP"), **labels)
        errors = broker.txerrs + broker.rxerrs + broker.req_timeouts
        known = self._errors.setdefault(client, {})
        before = known.get((instance, broker.nodeid), 0)
        known[instance, broker.nodeid] = errors
        self.instruments.add(catalogue.BROKER_ERRORS, max(0, errors - before), **labels)
