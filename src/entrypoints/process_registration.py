"""Registers this process with the others while it runs, and deregisters it when it ends in order."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version
from typing import Protocol, runtime_checkable

from attrs import define, field

from ..application.health.heartbeat import Heartbeat
from ..application.health.last_failure import Failures
from ..application.health.processes import Part, Process, ProcessRegistry

PROCESS = "process"
"""The name under which the failure that ended all parts is recorded."""


@runtime_checkable
class PartitionOwner(Protocol):
    """Reads or writes the partitions of the topic that its consumer group has assigned to it."""

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions that are assigned now."""
        ...


@define(eq=False)
class ProcessRegistration:
    """The registration of this process: its parts, address and last failure."""

    failures: Failures
    clock: Callable[[], datetime]
    id: str
    started_at: datetime = field(init=False)
    _program: tuple[str, str] = field(init=False)
    _parts: dict[str, object] = field(factory=dict, init=False)
    _url: str = field(default="", init=False)
    _stopped: dict[str, str] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.started_at = self.clock()
        self._program = version("orderflow-service"), socket.gethostname()

    def runs(self, part: str, works_on: object = None) -> None:
        """Add a part that runs here. If ``works_on`` is a PartitionOwner, its partitions are shown."""
        self._parts[part] = works_on

    def stops(self, part: str, code: str) -> None:
        """Show ``part`` as stopped, with the code of its error."""
        self._stopped[part] = code

    def runs_again(self, part: str) -> None:
        """Show ``part`` as running, as it did before it stopped."""
        self._stopped.pop(part, None)

    def stopped_parts(self) -> Mapping[str, str]:
        """Return the parts that have stopped, each with the code of its error."""
        return dict(self._stopped)

    def listens(self, url: str) -> None:
        """Set the URL of the API."""
        self._url = url

    def describe(self) -> Process:
        """Return the registration as it is now."""
        return Process(
            id=self.id,
            version=self._program[0],
            host=self._program[1],
            pid=os.getpid(),
            started_at=self.started_at,
            parts=tuple(self._part(name, works_on) for name, works_on in self._parts.items()),
            failures=self.failures.count,
            failure=self.failures.last,
        )

    def _part(self, name: str, works_on: object) -> Part:
        partitions = works_on.partitions if isinstance(works_on, PartitionOwner) else None
        url = self._url if name == "api" else ""
        return Part(name, partitions=partitions, url=url, stopped=self._stopped.get(name, ""))

    @asynccontextmanager
    async def registered(self, registry: ProcessRegistry, *, failing: bool = True) -> AsyncIterator[None]:
        """Keep the process registered inside the context, with a heartbeat.

        An exception inside is recorded as the process's failure, and the registration stays until it is pruned. Without
        ``failing`` it is deleted all the same.
        """
        heartbeat = Heartbeat(registry=registry, describe=self.describe, clock=self.clock)
        stop = asyncio.Event()
        beating = asyncio.create_task(heartbeat(stop), name="heartbeat")
        failed = False
        try:
            yield
        except Exception as error:
            failed = failing
            self.failures.note(PROCESS, error)
            raise
        finally:
            stop.set()
            await beating
            if failed:
                await heartbeat.heartbeat()
            else:
                await heartbeat.deregister()
