"""The registry of processes in memory; a storage in memory is used by one process."""

from collections.abc import Callable, Sequence
from datetime import datetime

from attrs import define, field

from ...application.health.processes import KnownProcess, Process
from .clock import SteadyClock


@define(eq=False)
class MemoryProcessRegistry:
    clock: Callable[[], datetime] = field(factory=SteadyClock)
    _seen: dict[str, tuple[Process, datetime, float]] = field(factory=dict, init=False)

    async def heartbeat(self, process: Process, at: datetime) -> None:
        now = self.clock()
        self._seen[process.id] = (process, now, (at - now).total_seconds())

    async def deregister(self, id: str) -> None:
        self._seen.pop(id, None)

    async def all(self) -> Sequence[KnownProcess]:
        now = self.clock()
        found = [
            KnownProcess(process=process, last_seen_at=at, silent=(now - at).total_seconds(), clock_ahead=ahead)
            for process, at, ahead in self._seen.values()
        ]
        return sorted(found, key=lambda each: (each.process.started_at, each.process.id))

    async def prune(self, silent_for: float) -> int:
        old = [each.process.id for each in await self.all() if each.silent >= silent_for]
        for gone in old:
            del self._seen[gone]
        return len(old)
