"""Making the topic, and looking at it."""

from collections.abc import Mapping
from typing import Any, Literal

import stamina
from attrs import define, field, frozen
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined,unused-ignore]
    ConfigResource,
    NewTopic,
    ResourceType,
)

from ...domain.errors import NotFound, TopicMismatch
from .client import OneThread, ReportingAdmin, admin, leaderless, metadata, unavailable
from .settings import KafkaSettings

FOREVER = -1
_PROMPTLY = 1.5
"""Seconds; less than a readiness check has, so that it hears why."""
_KEPT = ("cleanup.policy", "min.insync.replicas", "retention.ms")


@frozen(kw_only=True)
class TopicDescription:
    """``retention_ms`` is -1 where records are kept forever."""

    name: str
    partitions: int
    replication: int
    min_insync: int
    retention_ms: int
    cleanup_policy: str


@define(eq=False)
class TopicAdmin:
    """The topic of ``settings``. ``timeout`` bounds, in seconds, each thing that is asked of Kafka."""

    settings: KafkaSettings
    timeout: float = 15.0
    _thread: OneThread = field(factory=lambda: OneThread("topic-admin"), init=False)
    _client: ReportingAdmin | None = field(default=None, init=False)

    async def create(
        self,
        *,
        partitions: int = 3,
        replication: int | None = None,
        retention_ms: int = FOREVER,
        min_insync: int | None = None,
    ) -> bool:
        """Make the topic, and return when each partition has a leader; False when it stood there with these settings.

        ``replication`` and ``min_insync`` are the cluster's own when not given. Raises TopicMismatch for a topic with
        other settings, which stays as it is; StreamUnavailable.
        """
        wanted = {"partitions": partitions, "retention_ms": retention_ms, "cleanup_policy": "delete"}
        if replication is not None:
            wanted["replication"] = replication
        if min_insync is not None:
            wanted["min_insync"] = min_insync
        return await self._thread(self._create, wanted)

    async def describe(self) -> TopicDescription:
        """Raises NotFound, StreamUnavailable."""
        return await self._thread(self._describe)

    async def ping(self) -> None:
        """Raises StreamUnavailable unless Kafka answers within 1.5 seconds; NotFound when the topic is not there."""
        await self._thread(self._partitions, _PROMPTLY)

    async def partitions(self) -> int:
        """How many there are. Raises as ``ping``."""
        return len(await self._thread(self._partitions, _PROMPTLY))

    async def close(self) -> None:
        self._thread.close()

    # All below runs on the one thread.

    def _create(self, wanted: Mapping[str, Any]) -> bool:
        config = {"cleanup.policy": wanted["cleanup_policy"], "retention.ms": str(wanted["retention_ms"])}
        if "min_insync" in wanted:
            config["min.insync.replicas"] = str(wanted["min_insync"])
        topic = NewTopic(self.settings.topic, wanted["partitions"], wanted.get("replication", -1), config=config)
        try:
            made = self._admin().create_topics([topic], operation_timeout=self.timeout, request_timeout=self.timeout)
            made[self.settings.topic].result(self.timeout + 1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise unavailable(f"creating topic {self.settings.topic!r}", error, self._client) from error
            return self._same_as(wanted)
        try:
            self._await_leaders(wanted["partitions"])
        except KafkaException as error:
            raise unavailable(
                f"waiting for the leaders of topic {self.settings.topic!r}", error, self._client
            ) from error
        return True

    def _await_leaders(self, partitions: int) -> None:
        """A new topic is shown at once, and is of use a moment later."""
        for attempt in stamina.retry_context(
            on=leaderless, attempts=None, timeout=self.timeout, wait_initial=0.05, wait_max=0.5
        ):
            with attempt:
                there = metadata(self._admin(), self.settings.topic, self.timeout)
                if sum(each.leader >= 0 for each in there.partitions.values()) < partitions:
                    raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))

    def _same_as(self, wanted: Mapping[str, Any]) -> Literal[False]:
        there = self._describe()
        differences = tuple(
            f"{name.replace('_', ' ')} is {getattr(there, name)}, asked for {value}"
            for name, value in wanted.items()
            if getattr(there, name) != value
        )
        if differences:
            raise TopicMismatch(self.settings.topic, differences)
        return False

    def _describe(self) -> TopicDescription:
        partitions = self._partitions(self.timeout)
        asked = ConfigResource(ResourceType.TOPIC, self.settings.topic)
        try:
            answer = (
                self._admin().describe_configs([asked], request_timeout=self.timeout)[asked].result(self.timeout + 1)
            )
        except KafkaException as error:
            raise unavailable(f"describing topic {self.settings.topic!r}", error, self._client) from error
        policy, min_insync, retention = (answer[name].value for name in _KEPT)
        return TopicDescription(
            name=self.settings.topic,
            partitions=len(partitions),
            replication=min(len(each.replicas) for each in partitions.values()),
            min_insync=int(min_insync),
            retention_ms=int(retention),
            cleanup_policy=policy,
        )

    def _partitions(self, timeout: float) -> Mapping[int, Any]:
        topic = self.settings.topic
        try:
            described = metadata(self._admin(), topic, timeout)
        except KafkaException as error:
            raise unavailable("asking for the topic", error, self._client) from error
        if described.error is None:
            partitions: Mapping[int, Any] = described.partitions
            return partitions
        if described.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise NotFound("topic", topic)
        raise unavailable(f"topic {topic!r}", described.error)

    def _admin(self) -> ReportingAdmin:
        if self._client is None:
            self._client = admin(self.settings)
        return self._client
