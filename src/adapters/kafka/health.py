"""Reads the state of the cluster, the topic and the consumer groups, or why Kafka does not respond."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from time import monotonic
from typing import Any

import stamina
from attrs import define, evolve, field
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined,unused-ignore]
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from ...application.clock import utc_now
from ...application.health.facts import (
    ClockOffset,
    ConnectionFailure,
    FailureReason,
    GroupFacts,
    StreamFacts,
    TopicFacts,
)
from .broker_clock import broker_clock
from .client import OneThread, admin, coordinator_unavailable, leader_unavailable
from .client_errors import error_text, tls_mismatch
from .group_lag import committed_offsets
from .settings import KafkaSettings

_CODES = {
    KafkaError._RESOLVE: FailureReason.NO_SUCH_HOST,
    KafkaError._AUTHENTICATION: FailureReason.AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED: FailureReason.AUTHENTICATION,
    KafkaError._SSL: FailureReason.TLS,
    KafkaError._TIMED_OUT: FailureReason.TIMEOUT,
    KafkaError.REQUEST_TIMED_OUT: FailureReason.TIMEOUT,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: FailureReason.NOT_ALLOWED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: FailureReason.NOT_ALLOWED,
    KafkaError.GROUP_AUTHORIZATION_FAILED: FailureReason.NOT_ALLOWED,
}
_MESSAGES = (
    ("SSL", FailureReason.TLS),
    ("ssl://", FailureReason.TLS),
    ("Connection refused", FailureReason.REFUSED),
    ("timed out", FailureReason.TIMEOUT),
    ("Disconnected", FailureReason.DROPPED),
)
"""Texts of librdkafka's messages whose code is only "transport failure". The first match counts."""
_MOST_SPECIFIC_FIRST = (
    FailureReason.AUTHENTICATION,
    FailureReason.TLS,
    FailureReason.NO_SUCH_HOST,
    FailureReason.NOT_ALLOWED,
    FailureReason.REFUSED,
    FailureReason.DROPPED,
    FailureReason.TIMEOUT,
)
"""The order in which one of several reported errors is chosen."""
_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call,unused-ignore]
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call,unused-ignore]
_CONFIGS = ("cleanup.policy", "max.message.bytes", "min.insync.replicas", "retention.bytes", "retention.ms")


@define(eq=False)
class _ReportedErrors:
    """Errors and log lines that a client reported since the last observation. The lines are more specific."""

    reported: list[tuple[FailureReason, str]] = field(factory=list)

    def error(self, error: KafkaError) -> None:
        self.reported.append((_reason(error.code(), error.str()), error.str()))

    def log(self, _level: int, _format: str, _facility: str, _client: str, line: str) -> None:
        self.reported.append((_reason(0, line), line))

    def most_specific(self, last: KafkaException) -> ConnectionFailure:
        """Return the most specific failure of those reported and ``last``."""
        cause = last.args[0]
        code = cause.code() if isinstance(cause, KafkaError) else 0
        reported = [*self.reported, (_reason(code, error_text(last)), error_text(last))]
        for reason in _MOST_SPECIFIC_FIRST:
            for each, text in reported:
                if each is reason:
                    return ConnectionFailure(reason, text)
        silent = code in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN)
        return ConnectionFailure(FailureReason.TIMEOUT if silent else FailureReason.OTHER, error_text(last))


@define(eq=False)
class KafkaHealth:
    """Observes the cluster. ``groups`` are the consumer groups to describe, by consumer.

    ``dead_letters`` is the name of the dead-letter topic, or empty. ``timeout`` limits an observation, in seconds.
    ``clock`` is that of this machine.
    """

    settings: KafkaSettings
    groups: Mapping[str, str]
    timeout: float = 3.0
    clock: Callable[[], datetime] = utc_now
    dead_letters: str = ""
    _thread: OneThread = field(factory=lambda: OneThread("kafka-watch"), init=False)
    _client: AdminClient | None = field(default=None, init=False)
    _client_errors: _ReportedErrors = field(factory=_ReportedErrors, init=False)

    async def facts(self, *, clock: bool) -> StreamFacts | ConnectionFailure:
        return await self._thread(self._read_facts, clock)

    async def close(self) -> None:
        self._thread.close()

    # The methods below run on the thread.

    def _read_facts(self, clock: bool) -> StreamFacts | ConnectionFailure:
        self._client_errors.reported.clear()
        if self._client is None:
            properties = {"error_cb": self._client_errors.error, "socket.connection.setup.timeout.ms": "2000"}
            self._client = admin(self.settings, properties, log=self._client_errors)
        client, deadline = self._client, monotonic() + self.timeout
        try:
            client.list_topics(timeout=self.timeout / 2)
            for attempt in stamina.retry_context(
                on=_is_transient, attempts=None, timeout=self.timeout / 2, wait_initial=0.05, wait_max=0.3
            ):
                with attempt:
                    return self._facts(client, deadline, clock=clock)
        except KafkaException as error:
            client.poll(0)
            self._client = None
            return self._detect_tls_mismatch(self._client_errors.most_specific(error))
        except TimeoutError:  # the broker stopped before it responded
            self._client = None
            return ConnectionFailure(FailureReason.TIMEOUT, f"not every request was answered within {self.timeout:g} s")
        raise AssertionError("every attempt returns, raises or is retried")

    def _detect_tls_mismatch(self, most_specific: ConnectionFailure) -> ConnectionFailure:
        """Return a TLS failure if a broker requires TLS and drops other connections. librdkafka does not detect it."""
        if most_specific.reason is FailureReason.TIMEOUT and (problem := tls_mismatch(self.settings)):
            return ConnectionFailure(FailureReason.TLS, problem)
        return most_specific

    def _facts(self, client: AdminClient, deadline: float, *, clock: bool) -> StreamFacts:
        began = monotonic()
        cluster = client.list_topics(timeout=_remaining(deadline))
        took = monotonic() - began
        topic = self._topic(client, cluster, self.settings.topic, deadline)
        groups = self._groups(client, topic, deadline)
        if topic is not None and groups:  # the ends are read after the groups' offsets, which are not behind them then
            led = set(range(topic.partitions)) - set(topic.leaderless)
            topic = evolve(topic, ends=_offsets(client, topic.name, led, _LATEST, deadline))
        return StreamFacts(
            cluster=cluster.cluster_id or "",
            brokers=tuple(f"{each.host}:{each.port}" for _, each in sorted(cluster.brokers.items())),
            took=took,
            topic=topic,
            groups=groups,
            clock=self._clock(client, cluster, deadline) if clock and topic is not None else None,
            dead_letter_topic=self._topic(client, cluster, self.dead_letters, deadline) if self.dead_letters else None,
        )

    def _topic(self, client: AdminClient, cluster: ClusterMetadata, name: str, deadline: float) -> TopicFacts | None:
        if name not in cluster.topics:
            _require_visible(client, name, deadline)
            return None
        if (error := cluster.topics[name].error) is not None:
            raise KafkaException(error)
        partitions = cluster.topics[name].partitions
        resource = ConfigResource(ResourceType.TOPIC, name)
        config = client.describe_configs([resource], request_timeout=_remaining(deadline))[resource].result(
            _remaining(deadline)
        )
        led = {number for number, each in partitions.items() if each.leader >= 0}
        policy, largest, min_insync, retained_bytes, retained_ms = (config[each].value for each in _CONFIGS)
        return TopicFacts(
            name=name,
            partitions=len(partitions),
            replication=min(len(each.replicas) for each in partitions.values()),
            min_insync=int(min_insync),
            retention_ms=int(retained_ms),
            retention_bytes=int(retained_bytes),
            cleanup_policy=policy,
            max_message_bytes=int(largest),
            leaderless=tuple(sorted(number for number, each in partitions.items() if each.leader < 0)),
            under_replicated=tuple(
                sorted(number for number, each in partitions.items() if len(each.isrs) < len(each.replicas))
            ),
            starts=_offsets(client, name, led, _EARLIEST, deadline),
            ends=_offsets(client, name, led, _LATEST, deadline),
        )

    def _groups(self, client: AdminClient, topic: TopicFacts | None, deadline: float) -> Mapping[str, GroupFacts]:
        if topic is None or not self.groups:
            return {}
        names = list(self.groups.values())
        described = client.describe_consumer_groups(names, request_timeout=_remaining(deadline))
        return {
            reader: GroupFacts(
                name=group,
                members=len(described[group].result(_remaining(deadline)).members),
                committed=committed_offsets(self.settings, group, range(topic.partitions), _remaining(deadline)),
            )
            for reader, group in self.groups.items()
        }

    def _clock(self, client: AdminClient, cluster: ClusterMetadata, deadline: float) -> ClockOffset | None:
        """Measure the broker's clock. Return None on an error, which must not hide the other facts."""
        try:
            return broker_clock(client, cluster, self.settings.topic, clock=self.clock, timeout=_remaining(deadline))
        except KafkaException as error:
            self._client_errors.log(4, "", "", "", error_text(error))
            return None


def _offsets(client: AdminClient, topic: str, led: Collection[int], spec: Any, deadline: float) -> Mapping[int, int]:
    """Return the offset of each of these partitions, which must have a leader."""
    request = {TopicPartition(topic, number): spec for number in led}
    results = client.list_offsets(request, request_timeout=_remaining(deadline)) if request else {}
    return {each.partition: result.result(_remaining(deadline)).offset for each, result in results.items()}


def _require_visible(client: AdminClient, topic: str, deadline: float) -> None:
    """Raise KafkaException if ``topic`` exists but is not visible to this user, which the list of topics omits."""
    request = client.describe_topics(TopicCollection([topic]), request_timeout=_remaining(deadline))[topic]
    try:
        request.result(_remaining(deadline))
    except KafkaException as error:
        if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise


def _is_transient(error: Exception) -> bool:
    """Return whether a partition or a group is new or moving, so that a retry may help."""
    return leader_unavailable(error) or coordinator_unavailable(error)


def _remaining(deadline: float) -> float:
    """Return the seconds until the deadline, with a minimum that lets the last request be sent."""
    return max(0.3, deadline - monotonic())


def _reason(code: int, text: str) -> FailureReason:
    if code in _CODES:
        return _CODES[code]
    return next((cause for message, cause in _MESSAGES if message in text), FailureReason.OTHER)
