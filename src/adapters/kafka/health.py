"""What Kafka says of itself, of the topic and of our groups, and why it does not answer where it does not."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import stamina
from attrs import define, field
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined,unused-ignore]
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from ...application.health.facts import (
    ClockOffset,
    ConnectionFailure,
    FailureReason,
    GroupFacts,
    StreamFacts,
    TopicFacts,
)
from .broker_clock import broker_clock
from .client import OneThread, admin, coordinating, leaderless, said
from .client_errors import tls_wanted
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
_WORDS = (
    ("SSL", FailureReason.TLS),
    ("ssl://", FailureReason.TLS),
    ("Connection refused", FailureReason.REFUSED),
    ("timed out", FailureReason.TIMEOUT),
    ("Disconnected", FailureReason.DROPPED),
)
"""What librdkafka's texts say where its codes are all 'transport failure'. The first that fits is meant."""
_TELLING = (
    FailureReason.AUTHENTICATION,
    FailureReason.TLS,
    FailureReason.NO_SUCH_HOST,
    FailureReason.NOT_ALLOWED,
    FailureReason.REFUSED,
    FailureReason.DROPPED,
    FailureReason.TIMEOUT,
)
"""Of several complaints the most telling one comes first."""
_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call,unused-ignore]
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call,unused-ignore]
_CONFIGS = ("cleanup.policy", "max.message.bytes", "min.insync.replicas", "retention.bytes", "retention.ms")


def _now() -> datetime:
    return datetime.now(UTC)


@define(eq=False)
class _ClientErrors:
    """What a client complained of since the last look: its errors, and its log lines, which say more."""

    heard: list[tuple[FailureReason, str]] = field(factory=list)

    def error(self, error: KafkaError) -> None:
        self.heard.append((_cause(error.code(), error.str()), error.str()))

    def log(self, _level: int, _format: str, _facility: str, _client: str, line: str) -> None:
        self.heard.append((_cause(0, line), line))

    def trouble(self, last: KafkaException) -> ConnectionFailure:
        """The most telling of all, ``last`` included."""
        complaint = last.args[0]
        code = complaint.code() if isinstance(complaint, KafkaError) else 0
        heard = [*self.heard, (_cause(code, said(last)), said(last))]
        for cause in _TELLING:
            for each, text in heard:
                if each is cause:
                    return ConnectionFailure(cause, text)
        silent = code in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN)
        return ConnectionFailure(FailureReason.TIMEOUT if silent else FailureReason.OTHER, said(last))


@define(eq=False)
class KafkaHealth:
    """``readers`` are those whose groups are looked at; ``letters`` is the topic for copies of parked events, where one
    is wanted. ``patience`` bounds a look, in seconds. ``clock`` is this machine's.
    """

    settings: KafkaSettings
    readers: Mapping[str, str]
    patience: float = 3.0
    clock: Callable[[], datetime] = _now
    letters: str = ""
    _thread: OneThread = field(factory=lambda: OneThread("kafka-watch"), init=False)
    _client: AdminClient | None = field(default=None, init=False)
    _client_errors: _ClientErrors = field(factory=_ClientErrors, init=False)

    async def look(self, *, clock: bool) -> StreamFacts | ConnectionFailure:
        return await self._thread(self._look, clock)

    async def close(self) -> None:
        self._thread.close()

    # All below runs on the one thread.

    def _look(self, clock: bool) -> StreamFacts | ConnectionFailure:
        self._client_errors.heard.clear()
        if self._client is None:
            ours = {"error_cb": self._client_errors.error, "socket.connection.setup.timeout.ms": "2000"}
            self._client = admin(self.settings, ours, log=self._client_errors)
        client, until = self._client, monotonic() + self.patience
        try:
            client.list_topics(timeout=self.patience / 2)
            for attempt in stamina.retry_context(
                on=_passing, attempts=None, timeout=self.patience / 2, wait_initial=0.05, wait_max=0.3
            ):
                with attempt:
                    return self._facts(client, until, clock=clock)
        except KafkaException as error:
            client.poll(0)
            self._client = None
            return self._looked_into(self._client_errors.trouble(error))
        except TimeoutError:  # of an answer that a broker owes which has just gone
            self._client = None
            return ConnectionFailure(FailureReason.TIMEOUT, f"not every answer came within {self.patience:g} s")
        raise AssertionError("an attempt ends or is made again")

    def _looked_into(self, trouble: ConnectionFailure) -> ConnectionFailure:
        """librdkafka has no word for a broker that drops what comes in the clear, for it wants TLS."""
        if trouble.reason is FailureReason.TIMEOUT and (told := tls_wanted(self.settings)):
            return ConnectionFailure(FailureReason.TLS, told)
        return trouble

    def _facts(self, client: AdminClient, until: float, *, clock: bool) -> StreamFacts:
        began = monotonic()
        there = client.list_topics(timeout=_left(until))
        took = monotonic() - began
        topic = self._topic(client, there, self.settings.topic, until)
        return StreamFacts(
            cluster=there.cluster_id or "",
            brokers=tuple(f"{each.host}:{each.port}" for _, each in sorted(there.brokers.items())),
            took=took,
            topic=topic,
            groups=self._groups(client, topic, until),
            clock=self._clock(client, there, until) if clock and topic is not None else None,
            letters=self._topic(client, there, self.letters, until) if self.letters else None,
        )

    def _topic(self, client: AdminClient, there: ClusterMetadata, name: str, until: float) -> TopicFacts | None:
        if name not in there.topics:
            _absent(client, name, until)
            return None
        if (error := there.topics[name].error) is not None:
            raise KafkaException(error)
        partitions = there.topics[name].partitions
        resource = ConfigResource(ResourceType.TOPIC, name)
        config = client.describe_configs([resource], request_timeout=_left(until))[resource].result(_left(until))
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
            starts=_offsets(client, name, partitions, _EARLIEST, until),
            ends=_offsets(client, name, partitions, _LATEST, until),
        )

    def _groups(self, client: AdminClient, topic: TopicFacts | None, until: float) -> Mapping[str, GroupFacts]:
        if topic is None or not self.readers:
            return {}
        names = list(self.readers.values())
        described = client.describe_consumer_groups(names, request_timeout=_left(until))
        return {
            reader: GroupFacts(
                name=group,
                members=len(described[group].result(_left(until)).members),
                committed=committed_offsets(self.settings, group, range(topic.partitions), _left(until)),
            )
            for reader, group in self.readers.items()
        }

    def _clock(self, client: AdminClient, there: ClusterMetadata, until: float) -> ClockOffset | None:
        """None where it is not told us: what else is known of Kafka is worth more than that."""
        try:
            return broker_clock(client, there, self.settings.topic, clock=self.clock, timeout=_left(until))
        except KafkaException as error:
            self._client_errors.log(4, "", "", "", said(error))
            return None


def _offsets(client: AdminClient, topic: str, partitions: Any, spec: Any, until: float) -> Mapping[int, int]:
    """Of the partitions that have a leader to ask."""
    led = [number for number, each in partitions.items() if each.leader >= 0]
    asked = {TopicPartition(topic, number): spec for number in led}
    answers = client.list_offsets(asked, request_timeout=_left(until)) if asked else {}
    return {each.partition: answer.result(_left(until)).offset for each, answer in answers.items()}


def _absent(client: AdminClient, topic: str, until: float) -> None:
    """Kafka leaves out of its list what we may not see, and says so to who asks for it by name: KafkaException."""
    asked = client.describe_topics(TopicCollection([topic]), request_timeout=_left(until))[topic]
    try:
        asked.result(_left(until))
    except KafkaException as error:
        if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise


def _passing(error: Exception) -> bool:
    """A partition or a group has just been made, or changes hands: asked again, it answers."""
    return leaderless(error) or coordinating(error)


def _left(until: float) -> float:
    """Seconds to ``until``, a few at least, so that what is asked last is still asked."""
    return max(0.3, until - monotonic())


def _cause(code: int, text: str) -> FailureReason:
    if code in _CODES:
        return _CODES[code]
    return next((cause for word, cause in _WORDS if word in text), FailureReason.OTHER)
