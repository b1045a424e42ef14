"""The processes of an installation: what each says of itself, and whether it still does."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

BEAT_SECONDS = 5.0
"""How often a process says that it lives."""
GONE_AFTER = 30.0
"""Seconds of silence after which a process counts as gone: some beats may be lost, and a database restarted."""
FORGOTTEN_AFTER = 3600.0
"""Seconds of silence after which nothing more is told of a process."""

EMBEDDING = "embedding"
"""The part that an application is which has orderflow inside."""
_KINDS = ("api", "relay", EMBEDDING)


@frozen
class Part:
    """What a process runs: ``api``, ``relay``, or a consumer by its name.

    ``partitions`` of the topic are its own now; None where nothing is shared out. ``url`` is where an API listens.
    """

    name: str
    partitions: tuple[int, ...] | None = None
    url: str = ""

    def __str__(self) -> str:
        if self.url:
            return f"{self.name} at {self.url}"
        if self.partitions is None:
            return self.name
        return f"{self.name}: partitions {', '.join(map(str, self.partitions)) or 'none yet'}"


@frozen(kw_only=True)
class Failure:
    """Something that went wrong in a part of a process. ``message`` carries nobody's data; it may be empty."""

    part: str
    code: str
    message: str
    at: datetime


@frozen(kw_only=True)
class Process:
    """One process, as it describes itself. ``failures`` counts what went wrong since it was started."""

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
    """A process, and when it was heard of last, by the registry's clock.

    ``silent`` are the seconds since; ``clock_ahead`` is by how many seconds the process's own clock was ahead then.
    """

    process: Process
    last_seen_at: datetime
    silent: float
    clock_ahead: float = field(default=0.0)

    @property
    def gone(self) -> bool:
        return self.silent > GONE_AFTER


class ProcessRegistry(Protocol):
    """Every process notes itself here, and takes itself out when it ends in order. All raise StorageUnavailable."""

    async def heartbeat(self, process: Process, at: datetime) -> None:
        """It lives, and is now as it says; ``at`` is its own time."""
        ...

    async def leave(self, id: str) -> None:
        """It has ended in order: nothing more is told of it."""
        ...

    async def seen(self) -> Sequence[KnownProcess]:
        """All that are known, the oldest first, also those that went silent."""
        ...

    async def forget(self, silent_for: float) -> int:
        """Drop those that have been silent for so many seconds or more; how many."""
        ...
