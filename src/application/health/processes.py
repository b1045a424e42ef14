"""The registrations of an installation's processes, and the registry that keeps them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

BEAT_SECONDS = 5.0
"""Seconds between two heartbeats."""
GONE_AFTER = 30.0
"""Seconds without a heartbeat after which a process counts as gone. Several may be missed, as in a restart."""
PRUNE_AFTER = 3600.0
"""Seconds without a heartbeat after which a registration is deleted."""

EMBEDDING = "embedding"
"""The part of an application that embeds orderflow."""
_KINDS = ("api", "relay", EMBEDDING)


@frozen
class Part:
    """A part that a process runs: ``api``, ``relay``, or a consumer by its name.

    ``partitions`` are those assigned to it now, None if it has no assignment. ``url`` is the address of an API.
    ``stopped`` is the code of the error with which it has stopped, empty while it runs.
    """

    name: str
    partitions: tuple[int, ...] | None = None
    url: str = ""
    stopped: str = ""

    def __str__(self) -> str:
        if self.stopped:
            return f"{self.name}: stopped, {self.stopped}"
        if self.url:
            return f"{self.name} at {self.url}"
        if self.partitions is None:
            return self.name
        return f"{self.name}: partitions {', '.join(map(str, self.partitions)) or 'none yet'}"


@frozen(kw_only=True)
class Failure:
    """A failure in a part of a process. ``message`` contains no personal data and may be empty."""

    part: str
    code: str
    message: str
    at: datetime


@frozen(kw_only=True)
class Process:
    """The registration of one process. ``failures`` counts its failures since its start."""

    id: str
    version: str
    host: str
    pid: int
    started_at: datetime
    parts: tuple[Part, ...]
    failures: int = 0
    failure: Failure | None = None

    @property
    def kind(self) -> str:
        """``api``, ``relay``, ``consumers``, ``several`` of these, or ``embedding`` in another application."""
        kinds = {part.name if part.name in _KINDS else "consumers" for part in self.parts}
        if EMBEDDING in kinds:
            return EMBEDDING
        return kinds.pop() if len(kinds) == 1 else "several"

    def runs(self, part: str) -> bool:
        return any(each.name == part for each in self.parts)


@frozen(kw_only=True)
class KnownProcess:
    """A process in the registry, and its last heartbeat by the registry's clock.

    ``silent`` are the seconds since then; ``clock_ahead`` are the seconds by which the process's own clock was ahead.
    """

    process: Process
    last_seen_at: datetime
    silent: float
    clock_ahead: float = field(default=0.0)

    @property
    def gone(self) -> bool:
        """True without a recent heartbeat. One from the future was stored by a clock that was wrong."""
        return abs(self.silent) > GONE_AFTER


class ProcessRegistry(Protocol):
    """Keeps the registrations of all processes. All methods raise StorageUnavailable."""

    async def heartbeat(self, process: Process, at: datetime) -> None:
        """Store the registration of ``process``; ``at`` is the time by its own clock."""
        ...

    async def deregister(self, id: str) -> None:
        """Delete the registration of a process that shuts down."""
        ...

    async def all(self) -> Sequence[KnownProcess]:
        """Return all registered processes, the oldest first, also silent ones."""
        ...

    async def prune(self, silent_for: float) -> int:
        """Delete registrations that have been silent for so many seconds, and return how many.

        Those whose last heartbeat is as far in the future were stored by a wrong clock, and are deleted, too.
        """
        ...
