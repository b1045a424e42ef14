"""How far each reader is behind what it is to come to while the rollout is as it is."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from .log import Positions
from .ports import Cursors, EventLog
from .publish_pending import FLOOR
from .readers import Readers
from .rollout import Rollout


@frozen(kw_only=True)
class ReaderLag:
    """``events`` are to come; ``held`` more come only when the share is raised. A ``paused`` reader stands still."""

    reader: str
    events: int
    held: int
    paused: bool

    @property
    def waited_for(self) -> bool:
        """Whether it has something left that it will come to by itself."""
        return self.events > 0 and not self.paused


@frozen
class Lag:
    """Every reader's. The relay comes to the share's events; those who read the topic, to what gets there.

    Where the relay stands is what it noted last, about a second ago. Raises StorageUnavailable.
    """

    log: EventLog
    cursors: Cursors
    readers: Readers
    rollout: Rollout
    buckets: int

    async def __call__(self) -> Sequence[ReaderLag]:
        names = await self.readers()
        positions = {name: dict(await self.cursors.positions(name)) for name in names}
        in_force = await self.rollout.in_force()
        heads = await self.log.heads()
        published = in_force.published_buckets(self.buckets)
        reach = self._reach(heads, positions, published)
        return [
            ReaderLag(
                reader=name,
                events=_behind(reach[name], positions[name]),
                held=_behind(heads, positions[name]) - _behind(reach[name], positions[name]),
                paused=name in in_force.paused,
            )
            for name in names
        ]

    def _reach(self, heads: Positions, positions: Mapping[str, Positions], published: int) -> Mapping[str, Positions]:
        """How far each reader can come, by bucket."""
        relay = positions.get(FLOOR, {})
        topic = {bucket: head if bucket < published else relay.get(bucket, 0) for bucket, head in heads.items()}
        return {name: topic if name == FLOOR or self.readers.from_topic(name) else heads for name in positions}


def _behind(heads: Positions, at: Positions) -> int:
    return sum(max(0, head - at.get(bucket, 0)) for bucket, head in heads.items())
