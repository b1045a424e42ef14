"""The facts about the servers of an installation, as plain values, and the ports that read them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen

ENCODING = "UTF8"
"""The only encoding of a PostgreSQL database that stores every text."""


class FailureReason(StrEnum):
    """The reasons why a server cannot be reached or used."""

    NO_SUCH_HOST = "no such host"
    REFUSED = "connection refused"
    TIMEOUT = "no answer in time"
    AUTHENTICATION = "authentication failed"
    NOT_ALLOWED = "not allowed"
    TLS = "TLS failed"
    DROPPED = "connection dropped"
    NO_SUCH_DATABASE = "no such database"
    BUSY = "too many connections"
    POOLER = "connected through a pooler"
    READ_ONLY = "no server accepts writes"
    SETTING = "invalid setting"
    OTHER = "failed"


@frozen
class ConnectionFailure:
    """A server that could not be reached: the reason, and the driver's message without passwords."""

    reason: FailureReason
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else str(self.reason)


@frozen
class ClockOffset:
    """The seconds by which another clock is ahead of this machine's, give or take ``uncertain`` seconds."""

    ahead: float
    uncertain: float

    @property
    def at_least(self) -> float:
        """The smallest offset that is possible, in seconds."""
        return max(0.0, abs(self.ahead) - self.uncertain)


@frozen(kw_only=True)
class DatabaseFacts:
    """The facts about the database.

    ``kind`` is postgresql, sqlite or memory; ``took`` are the seconds of the fastest query. ``schema`` is the
    database's migration, None before the first; ``migrations`` are those of this program, the oldest first.
    ``settings`` are the server settings that guarantees depend on, by the server's names. ``size`` is in bytes, None
    if unknown. ``connections`` are in use now, of ``max_connections``; ``connection_limit`` is the lowest limit of the
    user and of the database, None without one. ``standbys`` are the states of PostgreSQL's connected standbys
    (``async``, ``potential``, ``sync`` or ``quorum``), empty strings if this user may not read them.
    """

    kind: str
    version: str
    took: float
    schema: str | None
    migrations: tuple[str, ...]
    clock: ClockOffset | None = None
    size: int | None = None
    settings: Mapping[str, str] = field(factory=dict)
    connections: int | None = None
    max_connections: int | None = None
    connection_limit: int | None = None
    standbys: tuple[str, ...] = ()

    @property
    def newest(self) -> str:
        """The migration that this program needs; empty if there are none."""
        return self.migrations[-1] if self.migrations else ""

    @property
    def encoding(self) -> str:
        """The encoding of texts."""
        return self.settings.get("server_encoding", ENCODING)

    @property
    def current(self) -> bool:
        """True if the schema is the one that this program needs."""
        return self.kind == "memory" or self.schema == self.newest


@frozen(kw_only=True)
class TopicFacts:
    """The facts about a topic.

    ``retention_ms`` and ``retention_bytes`` are -1 if nothing is deleted by age or size. ``max_message_bytes`` is the
    limit of a record. ``replication`` is that of the partition with the fewest replicas. ``starts`` and ``ends`` are
    offsets by partition: the first record that still exists, and the one after the last.
    """

    name: str
    partitions: int
    replication: int
    min_insync: int
    retention_ms: int
    retention_bytes: int
    cleanup_policy: str
    max_message_bytes: int
    leaderless: tuple[int, ...] = ()
    under_replicated: tuple[int, ...] = ()
    starts: Mapping[int, int] = field(factory=dict)
    ends: Mapping[int, int] = field(factory=dict)


@frozen(kw_only=True)
class GroupFacts:
    """The facts about one consumer group. ``committed`` are its committed offsets by partition."""

    name: str
    members: int
    committed: Mapping[int, int] = field(factory=dict)

    def lag(self, topic: TopicFacts) -> int:
        """Return the offsets between the committed ones and the end; transaction markers count as well."""
        return sum(max(0, end - self.committed.get(partition, 0)) for partition, end in topic.ends.items())


@frozen(kw_only=True)
class StreamFacts:
    """The facts about Kafka.

    ``topic`` is None if it does not exist. ``groups`` are those of the relay and the consumers, by reader. ``clock`` is
    that of the broker which coordinates the doctor's group, None if it is unknown. ``dead_letter_topic`` has copies of
    dead letters; it is None if it does not exist or none is configured.
    """

    cluster: str
    brokers: tuple[str, ...]
    took: float
    topic: TopicFacts | None
    groups: Mapping[str, GroupFacts] = field(factory=dict)
    clock: ClockOffset | None = None
    dead_letter_topic: TopicFacts | None = None


@frozen
class CertificateFacts:
    """The facts about the API's certificate."""

    expires_at: datetime


OIDC = "oidc"
"""The part of a process in which failures to read the keys of the OpenID provider are noted."""


class DatabaseHealth(Protocol):
    """Reads the facts about the database."""

    async def facts(self) -> DatabaseFacts | ConnectionFailure:
        """Return the facts, read on a connection of its own. Raises nothing."""
        ...


class StreamHealth(Protocol):
    """Reads the facts about Kafka."""

    async def facts(self, *, clock: bool) -> StreamFacts | ConnectionFailure:
        """Return the facts about Kafka, the topic and the groups; with ``clock``, also about the broker's clock.

        It takes at most a few seconds and raises nothing.
        """
        ...

    async def close(self) -> None: ...


class MailHealth(Protocol):
    """Tries the mail server."""

    async def failure(self) -> ConnectionFailure | None:
        """Log in, and return why that failed; None if it did not. Sends nothing and raises nothing."""
        ...


class CertificateHealth(Protocol):
    """Reads the facts about the API's certificate."""

    async def facts(self) -> CertificateFacts:
        """Read its files, and return the facts. Raises InvalidInput if the certificate cannot be used."""
        ...


class IdentityHealth(Protocol):
    """Tries the OpenID provider whose tokens the API accepts."""

    async def check(self) -> None:
        """Read its keys. Raises Unavailable."""
        ...
