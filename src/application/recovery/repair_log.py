"""What a restored database has lost, as the topic still tells it; and the epoch in which the log goes on without it."""

from collections import Counter
from collections.abc import Sequence

from attrs import define, field, frozen

from ...domain.errors import Conflict
from ..clock import Clock
from ..event_log.ports import Cursors, EventLog, TopicReader
from ..event_log.records import RELAY, LogRecord, Positions
from ..operator_note import OperatorNote
from .epochs import Epoch, Epochs, LogEpochs
from .restore_guard import RelayCursors, mismatches, standing

SHOWN = 1000
"""Orders that are named; beyond that they are only counted."""
PAGE = 1000


@frozen(kw_only=True)
class LostOrder:
    """``events`` of it are on the topic and not in the log, which has ``in_log`` events of it."""

    order_id: str
    events: int
    in_log: int


@frozen(kw_only=True)
class Loss:
    """What ``records`` of the topic say that the log of ``epoch`` does not have.

    ``newest`` is the latest epoch on the topic. ``kept`` names the buckets in which log and topic part, each with the
    last position at which they agree: ``events`` on the topic are beyond that, or other ones, and told of
    ``orders_concerned`` orders, the first SHOWN of which are ``orders``. Of ``superseded`` it was known already.
    """

    epoch: int
    newest: int
    records: int
    superseded: int
    events: int
    kept: Positions
    orders_concerned: int
    orders: Sequence[LostOrder]

    @property
    def any(self) -> bool:
        """Whether relay and consumers refuse to go on, or will."""
        return bool(self.kept) or self.newest > self.epoch


@frozen
class FindLostEvents:
    """Reads the whole topic, and changes nothing. Raises StorageUnavailable, StreamUnavailable."""

    topic: TopicReader
    log: EventLog
    epochs: LogEpochs
    cursors: Cursors
    relays: RelayCursors

    async def __call__(self) -> Loss:
        seen = _Seen(await self.epochs.all())
        async with self.topic.scan() as scan:
            while records := await scan.read(PAGE):
                await self._compare([each for each in records if isinstance(each, LogRecord)], seen)
        await self._compare_cursors(seen)
        first = sorted(seen.orders)[:SHOWN]
        orders = [
            LostOrder(order_id=each, events=seen.orders[each], in_log=len(await self.log.history(each)))
            for each in first
        ]
        return Loss(
            epoch=seen.epochs.now,
            newest=seen.newest,
            records=seen.records,
            superseded=seen.superseded,
            events=seen.orders.total(),
            kept=seen.kept,
            orders_concerned=len(seen.orders),
            orders=orders,
        )

    async def _compare(self, records: Sequence[LogRecord], seen: "_Seen") -> None:
        counting = [record for record in records if not seen.epochs.superseded(record)]
        bodies = await self.log.bodies([record.address for record in counting])
        seen.records += len(records)
        seen.superseded += len(records) - len(counting)
        for record in counting:
            seen.newest = max(seen.newest, record.epoch)
            if bodies.get(record.address) != record.body:
                seen.orders[record.order_id] += 1
                seen.part(record.bucket, record.position - 1)

    async def _compare_cursors(self, seen: "_Seen") -> None:
        """What the relays remember of records that the topic may have deleted since."""
        committed = await self.relays.committed()
        seen.newest = max([seen.newest, *(at.epoch for at in committed.values())])
        floor = await self.cursors.positions(RELAY)
        for bucket, _ in await mismatches(self.log, standing(committed, seen.epochs)):
            if bucket not in seen.kept:
                seen.part(bucket, floor.get(bucket, 0))


@define
class _Seen:
    epochs: Epochs
    newest: int = field(init=False)
    records: int = 0
    superseded: int = 0
    orders: Counter[str] = field(factory=Counter)
    kept: dict[int, int] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.newest = self.epochs.now

    def part(self, bucket: int, kept: int) -> None:
        """Log and topic agree up to ``kept`` at most."""
        self.kept[bucket] = min(kept, self.kept.get(bucket, kept))


@frozen(kw_only=True)
class RepairResult:
    """``begun`` is None where nothing was lost: then nothing was changed."""

    loss: Loss
    begun: Epoch | None


@frozen
class RepairLog:
    """The log goes on in a new epoch, in which the relays publish again from where log and topic part.

    What the topic has beyond that does not count any more. Raises InvalidInput for words that say nothing, Conflict
    when somebody else did it meanwhile, StorageUnavailable, StreamUnavailable.
    """

    look: FindLostEvents
    epochs: LogEpochs
    clock: Clock

    async def __call__(self, *, by: str, reason: str) -> RepairResult:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        loss = await self.look()
        if not loss.any:
            return RepairResult(loss=loss, begun=None)
        begun = Epoch(epoch=loss.newest + 1, note=note, kept=loss.kept)
        await _begin(self.epochs, begun)
        return RepairResult(loss=loss, begun=begun)


@frozen
class Republish:
    """All of the log is published again, in a new epoch; what stands on the topic does not count any more.

    Raises InvalidInput for words that say nothing, Conflict when somebody else began an epoch meanwhile,
    StorageUnavailable, StreamUnavailable.
    """

    log: EventLog
    epochs: LogEpochs
    relays: RelayCursors
    clock: Clock

    async def __call__(self, *, by: str, reason: str) -> Epoch:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        now = (await self.epochs.all()).now
        committed = await self.relays.committed()
        newest = max([now, *(each.epoch for each in committed.values())])
        kept = dict.fromkeys([*await self.log.heads(), *committed], 0)
        begun = Epoch(epoch=newest + 1, note=note, kept=dict(sorted(kept.items())))
        await _begin(self.epochs, begun)
        return begun


async def _begin(epochs: LogEpochs, begun: Epoch) -> None:
    if not await epochs.begin(begun):
        raise Conflict(f"epoch {begun.epoch} was begun by somebody else meanwhile; look again")
