"""A consumer's records from the topic in RAM, as a member of a group whose offset the topic keeps."""

from collections.abc import Callable, Sequence

from attrs import define, field
from orderflow.adapters.memory import MemoryTopic
from orderflow.application.event_log.records import LogRecord, UnrecognizedRecord
from orderflow.testing.crash_points import STREAM, CrashPoints


@define(eq=False)
class TopicWithGroups(MemoryTopic):
    """``offsets`` are what each consumer group has committed. It outlives every process."""

    offsets: dict[str, int] = field(factory=dict, init=False)


READS = 200
"""More batches than the topic of a test needs."""


@define(eq=False)
class FromTopic:
    """Reads on from the group's offset, which is committed after the effects.

    ``idle`` is notified when nothing is new, or when so much was read that something must be missing for ever.
    """

    topic: TopicWithGroups
    group: str
    crash_points: CrashPoints
    idle: Callable[[], None]
    _next: int | None = field(default=None, init=False)
    _reads: int = field(default=0, init=False)

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        self.crash_points.enter(self.group)
        with self.crash_points.crossing(f"{self.group}: read from the topic", STREAM):
            start = self.topic.offsets.get(self.group, 0) if self._next is None else self._next
            batch = self.topic.records[start : start + limit]
        self._next = start + len(batch)  # once it has them: what is lost on the way is asked for again
        self._reads += 1
        if not batch or self._reads > READS:
            self.idle()
        return batch

    async def done(self) -> None:
        if self._next not in (None, self.topic.offsets.get(self.group)):
            with self.crash_points.crossing(f"{self.group}: commit the offset", STREAM):
                self.topic.offsets[self.group] = self._next

    async def rewind(self) -> None:
        self._next = None

    async def pause(self) -> None:
        """Its place is kept."""

    async def close(self) -> None:
        """Nothing is held."""
