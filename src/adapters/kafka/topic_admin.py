"""Creates and describes the topic."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Literal

import stamina
from attrs import define, field, frozen
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined,unused-ignore]
    ConfigResource,
    NewTopic,
    ResourceType,
)

from ...domain.errors import NotFound, StreamUnavailable, TopicMismatch
from .client import OneThread, ReportingAdmin, admin, answered, leader_unavailable, metadata, unavailable
from .settings import KafkaSettings

UNLIMITED = -1
_PING_TIMEOUT = 1.5
"""Seconds. It is shorter than the timeout of a readiness check, so that the check reports the reason."""
_KEPT_SECONDS = 30.0
"""Seconds for which a client is kept although it fails, so that checks while Kafka is away do not make many."""
_CONFIGS = ("cleanup.policy", "min.insync.replicas", "retention.ms")


def is_compacted(settings: KafkaSettings, timeout: float) -> bool:
    """Return whether the topic is compacted; False if this user may not read its configuration."""
    client, resource = admin(settings), ConfigResource(ResourceType.TOPIC, settings.topic)
    try:  # a request ends without a response if its client is no longer referenced
        requests = client.describe_configs([resource], request_timeout=timeout)
        described = answered(requests[resource], timeout + 1)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return False
        raise unavailable(f"describing topic {settings.topic!r}", error, client) from error
    return "compact" in (described["cleanup.policy"].value or "")


@frozen(kw_only=True)
class TopicDescription:
    """The settings of a topic. ``retention_ms`` is -1 if records are kept forever."""

    name: str
    partitions: int
    replication: int
    min_insync: int
    retention_ms: int
    cleanup_policy: str


@define(eq=False)
class TopicAdmin:
    """The topic of ``settings``. ``timeout`` limits each request to Kafka, in seconds."""

    settings: KafkaSettings
    timeout: float = 15.0
    clock: Callable[[], float] = monotonic
    _thread: OneThread = field(factory=lambda: OneThread("topic-admin"), init=False)
    _client: ReportingAdmin | None = field(default=None, init=False)
    _client_since: float = field(default=0.0, init=False)
    _created: bool = field(default=False, init=False)

    async def create(
        self,
        *,
        partitions: int = 3,
        replication: int | None = None,
        retention_ms: int = UNLIMITED,
        min_insync: int | None = None,
    ) -> bool:
        """Create the topic and wait until each partition has a leader. Return False if it exists with these settings.

        ``replication`` and ``min_insync`` default to those of the cluster. Raises TopicMismatch if the topic exists
        with other settings, which are not changed, and StreamUnavailable.
        """
        requested = {"partitions": partitions, "retention_ms": retention_ms, "cleanup_policy": "delete"}
        if replication is not None:
            requested["replication"] = replication
        if min_insync is not None:
            requested["min_insync"] = min_insync
        return await self._thread(self._create, requested)

    async def describe(self) -> TopicDescription:
        """Return the settings of the topic. Raises NotFound, StreamUnavailable."""
        return await self._thread(self._describe)

    async def ping(self) -> None:
        """Raise StreamUnavailable if Kafka does not respond within 1.5 seconds, NotFound if there is no such topic."""
        await self._thread(self._partitions, _PING_TIMEOUT)

    async def partitions(self) -> int:
        """Return the number of partitions. Raises as ``ping``."""
        return len(await self._thread(self._partitions, _PING_TIMEOUT))

    async def close(self) -> None:
        self._thread.close()

    # The methods below run on the thread.

    def _create(self, requested: Mapping[str, Any]) -> bool:
        properties = {"cleanup.policy": requested["cleanup_policy"], "retention.ms": str(requested["retention_ms"])}
        if "min_insync" in requested:
            properties["min.insync.replicas"] = str(requested["min_insync"])
        topic = NewTopic(
            self.settings.topic, requested["partitions"], requested.get("replication", -1), config=properties
        )
        try:
            created = self._admin().create_topics([topic], operation_timeout=self.timeout, request_timeout=self.timeout)
            answered(created[self.settings.topic], self.timeout + 1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self._failed(f"creating topic {self.settings.topic!r}", error) from error
            return self._require_same(requested)
        self._created = True
        try:
            self._await_leaders(requested["partitions"])
        except KafkaException as error:
            raise self._failed(f"waiting for the leaders of topic {self.settings.topic!r}", error) from error
        return True

    def _await_leaders(self, partitions: int) -> None:
        """Wait until each partition has a leader. A new topic is visible before that."""
        for attempt in stamina.retry_context(
            on=leader_unavailable, attempts=None, timeout=self.timeout, wait_initial=0.05, wait_max=0.5
        ):
            with attempt:
                existing = metadata(self._admin(), self.settings.topic, self.timeout)
                if sum(each.leader >= 0 for each in existing.partitions.values()) < partitions:
                    raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))

    def _require_same(self, requested: Mapping[str, Any]) -> Literal[False]:
        existing = self._describe()
        differences = tuple(
            f"{name.replace('_', ' ')} is {getattr(existing, name)}, requested was {value}"
            for name, value in requested.items()
            if getattr(existing, name) != value
        )
        if differences:
            raise TopicMismatch(self.settings.topic, differences)
        return False

    def _describe(self) -> TopicDescription:
        resource = ConfigResource(ResourceType.TOPIC, self.settings.topic)
        try:
            # One broker hears of a new topic a moment later than another.
            for attempt in stamina.retry_context(
                on=self._is_new, attempts=None, timeout=self.timeout, wait_initial=0.05, wait_max=0.5
            ):
                with attempt:
                    partitions = self._partitions(self.timeout)
                    requests = self._admin().describe_configs([resource], request_timeout=self.timeout)
                    config = answered(requests[resource], self.timeout + 1)
        except KafkaException as error:
            raise self._failed(f"describing topic {self.settings.topic!r}", error) from error
        policy, min_insync, retention = (config[name].value for name in _CONFIGS)
        return TopicDescription(
            name=self.settings.topic,
            partitions=len(partitions),
            replication=min(len(each.replicas) for each in partitions.values()),
            min_insync=int(min_insync),
            retention_ms=int(retention),
            cleanup_policy=policy,
        )

    def _is_new(self, error: Exception) -> bool:
        """Return whether ``error`` says that a topic is unknown which another broker knows."""
        if isinstance(error, NotFound):
            return self._created
        return isinstance(error, KafkaException) and error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART

    def _partitions(self, timeout: float) -> Mapping[int, Any]:
        topic = self.settings.topic
        try:
            described = metadata(self._admin(), topic, timeout)
        except KafkaException as error:
            raise self._failed("reading the metadata of the topic", error) from error
        if described.error is None:
            partitions: Mapping[int, Any] = described.partitions
            return partitions
        if described.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise NotFound("topic", topic)
        raise unavailable(f"topic {topic!r}", described.error)

    def _failed(self, action: str, error: KafkaException) -> StreamUnavailable:
        """Translate ``error``. Discard a client that is not new: it may have lost its brokers (see KnownBrokers)."""
        translated = unavailable(action, error, self._client)
        if self.clock() - self._client_since > _KEPT_SECONDS:
            self._client = None
        return translated

    def _admin(self) -> ReportingAdmin:
        if self._client is None:
            self._client, self._client_since = admin(self.settings), self.clock()
        return self._client
