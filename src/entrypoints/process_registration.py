"""The registration of this process while it runs; it is removed at a graceful shutdown."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version
from typing import Protocol, runtime_checkable

from attrs import define, field

from ..application.health.heartbeat import Heartbeat
from ..application.health.last_failure import Failures
from ..application.health.processes import Part, Process, ProcessRegistry

PROCESS = "process"
"""Under this name the process notes what ended all its parts."""


@runtime_checkable
class PartitionOwner(Protocol):
    """Something that reads or writes some of the topic's partitions, as its group has it now."""

    @property
    def partitions(self) -> tuple[int, ...]: ...


@define(eq=False)
class ProcessRegistration:
    """The registration of this process: its parts, its failures, its API address."""

    failures: Failures
    clock: Callable[[], datetime]
    id: str
    started_at: datetime = field(init=False)
    _program: tuple[str, str] = field(init=False)
    _parts: dict[str, object] = field(factory=dict, init=False)
    _url: str = field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        self.started_at = self.clock()
        self._program = version("orderflow-service"), socket.gethostname()

    def runs(self, part: str, works_on: object = None) -> None:
        """``part`` runs here; what is its own is that of ``works_on``, where that shares partitions with others."""
        self._parts[part] = works_on

    def listens(self, url: str) -> None:
        """Register the address of the API."""
        self._url = url

    def describe(self) -> Process:
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
        own = works_on.partitions if isinstance(works_on, PartitionOwner) else None
        return Part(name, partitions=own, url=self._url if name == "api" else "")

    @asynccontextmanager
    async def noted(self, registry: ProcessRegistry, *, failing: bool = True) -> AsyncIterator[None]:
        """Inside, the process beats in the registry, and leaves it at the end.

        What fails inside stays noted there until it is forgotten, unless ``failing`` says that it is no matter of ours.
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
