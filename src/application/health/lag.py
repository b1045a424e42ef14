"""How far each reader is behind what it is to come to while the rollout is as it is."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ..event_log.ports import Cursors, EventLog
from ..event_log.readers import Readers
from ..event_log.records import RELAY, Positions
from ..rollout.rollout import Rollout


@frozen(kw_only=True)
class ReaderLag:
    """``events`` are to come; ``held`` more come only when the share is raised. A ``paused`` reader stands still.

    ``position`` is how many events it has behind it.
    """

    reader: str
    position: int
    events: int
    held: int
    paused: bool

    @property
    def waited_for(self) -> bool:
        """Whether it has something left that it will come to by itself."""
        return self.events > 0 and not self.paused


@frozen
class _Stand:
    """One look at who reads, where each stands, and how far each can come, by bucket."""

    positions: Mapping[str, Positions]
    reach: Mapping[str, Positions]
    heads: Positions
    paused: Collection[str]


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
        stand = await self._look()
        return [
            ReaderLag(
                reader=name,
                position=sum(at.values()),
                events=_behind(stand.reach[name], at),
                held=_behind(stand.heads, at) - _behind(stand.reach[name], at),
                paused=name in stand.paused,
            )
            for name, at in stand.positions.items()
        ]

    async def oldest(self) -> Mapping[str, datetime]:
        """When the oldest event happened that is still to come to a reader; one that waits for none is not named.

        A record of each bucket with news is read for that, so it costs the same however long the history.
        """
        stand = await self._look()
        found = {}
        for name, at in stand.positions.items():
            behind = {b: at.get(b, 0) for b, reach in stand.reach[name].items() if reach > at.get(b, 0)}
            # As many records as buckets are behind: the first of each.
            if first := await self.log.read(behind, limit=len(behind)) if behind else ():
                found[name] = min(record.occurred_at for record in first)
        return found

    async def _look(self) -> _Stand:
        names = await self.readers()
        positions = {name: dict(await self.cursors.positions(name)) for name in names}
        current_rollout = await self.rollout.current_rollout()
        heads = await self.log.heads()
        reach = self._reach(heads, positions, current_rollout.published_buckets(self.buckets))
        return _Stand(positions, reach, heads, current_rollout.paused)

    def _reach(self, heads: Positions, positions: Mapping[str, Positions], published: int) -> Mapping[str, Positions]:
        """How far each reader can come, by bucket."""
        relay = positions.get(RELAY, {})
        topic = {bucket: head if bucket < published else relay.get(bucket, 0) for bucket, head in heads.items()}
        return {name: topic if name == RELAY or self.readers.from_topic(name) else heads for name in positions}


def _behind(heads: Positions, at: Positions) -> int:
    return sum(max(0, head - at.get(bucket, 0)) for bucket, head in heads.items())
