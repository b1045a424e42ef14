"""What can be seen of the servers of an installation, as plain values."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen


class FailureReason(StrEnum):
    """Why a server gave no answer."""

    NO_SUCH_HOST = "no such host"
    REFUSED = "connection refused"
    TIMEOUT = "no answer in time"
    AUTHENTICATION = "authentication failed"
    NOT_ALLOWED = "not allowed"
    TLS = "TLS failed"
    DROPPED = "connection dropped"
    NO_SUCH_DATABASE = "no such database"
    BUSY = "no connection free"
    POOLER = "a pooler stands before it"
    SETTING = "wrong setting"
    OTHER = "failed"


@frozen
class ConnectionFailure:
    """A server that gave no answer: why, and what was said about it. ``said`` carries no password."""

    reason: FailureReason
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else str(self.reason)


@frozen
class ClockOffset:
    """By how many seconds another clock is ahead of this machine's; known but for ``uncertain`` seconds either way."""

    ahead: float
    uncertain: float

    @property
    def surely(self) -> float:
        """How far off it is at least, in seconds."""
        return max(0.0, abs(self.ahead) - self.uncertain)


@frozen(kw_only=True)
class DatabaseFacts:
    """``kind`` is postgresql, sqlite or memory; ``took`` are the seconds of the quickest question asked.

    ``schema`` is the migration the database is at, None before the first; ``migrations`` are those that this program
    knows, the oldest first. ``settings`` are the server's own settings that promises rest on, as it names them.
    ``size`` is in bytes, None where it is not known. ``connections`` are in use now, of ``max_connections``.
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

    @property
    def newest(self) -> str:
        """The migration that this program works with; empty where there are none."""
        return self.migrations[-1] if self.migrations else ""

    @property
    def current(self) -> bool:
        """Whether the schema is the one that this program works with."""
        return self.kind == "memory" or self.schema == self.newest


@frozen(kw_only=True)
class TopicFacts:
    """``retention_ms`` and ``retention_bytes`` are -1 where nothing is deleted for its age, or for its size.

    ``max_message_bytes`` is how large a record may be. ``replication`` is that of the partition with the fewest copies.
    ``starts`` and ``ends`` are offsets by partition: the first record that is still there, and the one after the last.
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
    """One consumer group. ``committed`` are offsets by partition, where it has committed any."""

    name: str
    members: int
    committed: Mapping[int, int] = field(factory=dict)

    def lag(self, topic: TopicFacts) -> int:
        """Offsets between what is committed and the end; the markers of transactions count too."""
        return sum(max(0, end - self.committed.get(partition, 0)) for partition, end in topic.ends.items())


@frozen(kw_only=True)
class StreamFacts:
    """``topic`` is None where there is none of that name. ``groups`` are ours by reader, relay and consumers.

    ``clock`` is that of the broker that coordinates our group, None where it cannot be told. ``letters`` is the topic
    for copies of parked events, None where there is none, or nobody wants one.
    """

    cluster: str
    brokers: tuple[str, ...]
    took: float
    topic: TopicFacts | None
    groups: Mapping[str, GroupFacts] = field(factory=dict)
    clock: ClockOffset | None = None
    letters: TopicFacts | None = None


@frozen
class MailFacts:
    """A mail server that let us in; ``took`` are the seconds of that."""

    took: float


class DatabaseHealth(Protocol):
    async def look(self) -> DatabaseFacts | ConnectionFailure:
        """What the database says of itself. Asks anew each time, on a connection of its own, and raises nothing."""
        ...


class StreamHealth(Protocol):
    async def look(self, *, clock: bool) -> StreamFacts | ConnectionFailure:
        """What Kafka says of itself, of the topic and our groups; of the broker's ``clock`` where asked for.

        Asks anew each time, within a few seconds, and raises nothing.
        """
        ...

    async def close(self) -> None: ...


class MailHealth(Protocol):
    async def look(self) -> MailFacts | ConnectionFailure:
        """Whether the mail server lets us in. Sends nothing, asks anew each time, and raises nothing."""
        ...
