"""The lag of each reader, in events and in time, with the current rollout."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ..event_log.ports import Cursors, EventLog
from ..event_log.readers import Readers
from ..event_log.records import RELAY, Positions, unread
from ..rollout.rollout import Rollout


@frozen(kw_only=True)
class ReaderLag:
    """The lag of one reader: ``events`` to come, and ``held`` more that the rollout holds back.

    ``position`` is the number of events that it has handled. A ``paused`` reader does not move.
    """

    reader: str
    position: int
    events: int
    held: int
    paused: bool

    @property
    def pending(self) -> bool:
        """True if it has events to come and is not paused."""
        return self.events > 0 and not self.paused


@frozen
class _Snapshot:
    """The cursors of all readers, and the positions that each can reach, by bucket."""

    positions: Mapping[str, Positions]
    reach: Mapping[str, Positions]
    heads: Positions
    paused: Collection[str]


@frozen
class Lag:
    """Computes the lag of every reader.

    The relay can reach the events that the share publishes, readers of the topic what the relay can publish. The
    relay's cursor is its stored one, about a second old. Raises StorageUnavailable.
    """

    log: EventLog
    cursors: Cursors
    readers: Readers
    rollout: Rollout
    buckets: int

    async def __call__(self) -> Sequence[ReaderLag]:
        snapshot = await self._read()
        return [
            ReaderLag(
                reader=name,
                position=sum(at.values()),
                events=_behind(snapshot.reach[name], at),
                held=_behind(snapshot.heads, at) - _behind(snapshot.reach[name], at),
                paused=name in snapshot.paused,
            )
            for name, at in snapshot.positions.items()
        ]

    async def oldest(self) -> Mapping[str, datetime]:
        """Return the time of the oldest event that each reader has yet to handle, if there is one.

        One record of each bucket with new events is read, so the cost does not depend on the length of the log.
        """
        snapshot = await self._read()
        found = {}
        for name, at in snapshot.positions.items():
            behind = unread(at, snapshot.reach[name])
            # The limit is the number of buckets, so this is the first record of each.
            if first := await self.log.read(behind, limit=len(behind)) if behind else ():
                found[name] = min(record.occurred_at for record in first)
        return found

    async def _read(self) -> _Snapshot:
        names = await self.readers()
        positions = {name: dict(await self.cursors.positions(name)) for name in names}
        current_rollout = await self.rollout.current_rollout()
        heads = await self.log.heads()
        reach = self._reach(heads, positions, current_rollout.published_buckets(self.buckets))
        return _Snapshot(positions, reach, heads, current_rollout.paused)

    def _reach(self, heads: Positions, positions: Mapping[str, Positions], published: int) -> Mapping[str, Positions]:
        """Return the positions that each reader can reach, by bucket."""
        relay = positions.get(RELAY, {})
        topic = {bucket: head if bucket < published else relay.get(bucket, 0) for bucket, head in heads.items()}
        return {name: topic if name == RELAY or self.readers.from_topic(name) else heads for name in positions}


def _behind(heads: Positions, at: Positions) -> int:
    return sum(max(0, head - at.get(bucket, 0)) for bucket, head in heads.items())
