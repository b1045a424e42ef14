"""librdkafka's own statistics, as metrics. What they mean: its STATISTICS.md."""

from typing import Any

import msgspec
import structlog
from attrs import define, field

from . import catalogue as the
from .instruments import Instruments
from .labels import OTHER

_MICROSECONDS = 1e-6


class _RoundTrip(msgspec.Struct):
    """``cnt`` requests were answered in the interval; of none nothing is known."""

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
    """Only what is read of it: msgspec passes over the rest without building it."""

    name: str = ""
    msg_cnt: int = 0
    msg_size: int = 0
    brokers: dict[str, _Broker] = {}
    topics: dict[str, _Topic] = {}


_log = structlog.get_logger("orderflow.kafka")
_decode = msgspec.json.Decoder(_Statistics).decode


@define(eq=False)
class KafkaClients:
    """Told by every client of this process, each from its own thread, every few seconds."""

    instruments: Instruments
    _errors: dict[tuple[str, int], int] = field(factory=dict, init=False)

    def statistics(self, client: str, said: str) -> None:
        """``said`` is librdkafka's JSON about the client that is called so here."""
        try:
            told = _decode(said)
        except msgspec.DecodeError as error:  # a callback of librdkafka's must not raise
            _log.warning("statistics not understood", client=client, problem=str(error))
            return
        fetched = [partition for topic in told.topics.values() for partition in topic.partitions.values()]
        messages = told.msg_cnt + sum(partition.fetchq_cnt for partition in fetched)
        size = told.msg_size + sum(partition.fetchq_size for partition in fetched)
        self.instruments.set(the.QUEUE_MESSAGES, messages, client=client)
        self.instruments.set(the.QUEUE_BYTES, size, client=client)
        for broker in told.brokers.values():
            if broker.nodeid >= 0:  # the others are addresses that were only asked for the cluster's
                self._broker(client, told.name, broker)

    def transaction_failed(self, error: str) -> None:
        """A transaction was given up; ``error`` is librdkafka's name of why."""
        self.instruments.add(the.TRANSACTION_ERRORS, error=error or OTHER)

    def _broker(self, client: str, instance: str, broker: _Broker) -> None:
        labels: dict[str, Any] = {"client": client, "broker": str(broker.nodeid)}
        quantiles = {"0.5": broker.rtt.p50, "0.99": broker.rtt.p99} if broker.rtt.cnt else {}
        for quantile, microseconds in quantiles.items():
            self.instruments.set(the.BROKER_ROUND_TRIP, microseconds * _MICROSECONDS, **labels, quantile=quantile)
        self.instruments.set(the.BROKER_UP, float(broker.state == "UP"), **labels)
        errors = broker.txerrs + broker.rxerrs + broker.req_timeouts
        before = self._errors.get((instance, broker.nodeid), 0)
        self._errors[instance, broker.nodeid] = errors
        self.instruments.add(the.BROKER_ERRORS, max(0, errors - before), **labels)
