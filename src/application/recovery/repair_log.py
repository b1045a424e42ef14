"""Repair of a restored log: find the events that only the topic has, and begin an epoch without them."""

from collections import Counter
from collections.abc import Sequence

from attrs import define, field, frozen

from ...domain.errors import Conflict
from ..clock import Clock
from ..event_log.ports import Cursors, EventLog, TopicReader
from ..event_log.records import RELAY, LogRecord, Positions
from ..operator_note import OperatorNote
from .epochs import MAX_EPOCH, Epoch, Epochs, LogEpochs
from .restore_guard import RelayCursors, effective, mismatches

SHOWN = 1000
"""The maximum number of orders that are listed; further ones are counted."""
PAGE = 1000


@frozen(kw_only=True)
class LostOrder:
    """An order with ``events`` that are on the topic but not in the log, which has ``in_log`` events of it."""

    order_id: str
    events: int
    in_log: int


@frozen(kw_only=True)
class Loss:
    """The difference between ``records`` of the topic and the log of ``epoch``.

    ``newest`` is the latest epoch on the topic. ``kept`` has the buckets in which log and topic differ, each with the
    last position at which they agree. ``events`` on the topic are beyond it, or differ; they belong to
    ``orders_concerned`` orders, the first SHOWN of which are ``orders``. ``superseded`` records are of earlier epochs.
    ``expired`` events were published and are no longer on the topic, so they are not compared.
    """

    epoch: int
    newest: int
    records: int
    superseded: int
    expired: int
    events: int
    kept: Positions
    orders_concerned: int
    orders: Sequence[LostOrder]

    @property
    def any(self) -> bool:
        """True if relay and consumers refuse to continue, or will."""
        return bool(self.kept) or self.newest > self.epoch


@frozen
class FindLostEvents:
    """Find the events that only the topic has. Reads the whole topic, and changes nothing.

    Raises StorageUnavailable, StreamUnavailable.
    """

    topic: TopicReader
    log: EventLog
    epochs: LogEpochs
    cursors: Cursors
    relays: RelayCursors

    async def __call__(self) -> Loss:
        comparison = _Comparison(await self.epochs.all())
        async with self.topic.scan() as scan:
            while records := await scan.read(PAGE):
                await self._compare([each for each in records if isinstance(each, LogRecord)], comparison)
        await self._compare_cursors(comparison)
        first = sorted(comparison.orders)[:SHOWN]
        orders = [
            LostOrder(order_id=each, events=comparison.orders[each], in_log=len(await self.log.history(each)))
            for each in first
        ]
        return Loss(
            epoch=comparison.epochs.now,
            newest=comparison.newest,
            records=comparison.records,
            superseded=comparison.superseded,
            expired=comparison.expired,
            events=comparison.orders.total(),
            kept=comparison.kept,
            orders_concerned=len(comparison.orders),
            orders=orders,
        )

    async def _compare(self, records: Sequence[LogRecord], comparison: "_Comparison") -> None:
        valid = [record for record in records if not comparison.epochs.superseded(record)]
        bodies = await self.log.bodies([record.address for record in valid])
        comparison.records += len(records)
        comparison.superseded += len(records) - len(valid)
        for record in valid:
            comparison.newest = max(comparison.newest, record.epoch)
            comparison.found[record.bucket] += 1
            if bodies.get(record.address) != record.body:
                comparison.orders[record.order_id] += 1
                comparison.diverge(record.bucket, record.position - 1)

    async def _compare_cursors(self, comparison: "_Comparison") -> None:
        """Compare the cursors of the relays, whose records the topic may have deleted."""
        committed = await self.relays.committed()
        comparison.newest = max([comparison.newest, *(at.epoch for at in committed.values())])
        floor = await self.cursors.positions(RELAY)
        published = effective(committed, comparison.epochs)
        comparison.expired = sum(max(0, position - comparison.found[bucket]) for bucket, position in published)
        for bucket, _ in await mismatches(self.log, published):
            if bucket not in comparison.kept:
                comparison.diverge(bucket, floor.get(bucket, 0))


@define
class _Comparison:
    epochs: Epochs
    newest: int = field(init=False)
    records: int = 0
    superseded: int = 0
    expired: int = 0
    found: Counter[int] = field(factory=Counter)
    orders: Counter[str] = field(factory=Counter)
    kept: dict[int, int] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.newest = self.epochs.now

    def diverge(self, bucket: int, kept: int) -> None:
        """Record that log and topic agree only up to ``kept``."""
        self.kept[bucket] = min(kept, self.kept.get(bucket, kept))


@frozen(kw_only=True)
class RepairResult:
    """The result of a repair. ``begun`` is None if nothing was lost and nothing was changed."""

    loss: Loss
    begun: Epoch | None


@frozen
class RepairLog:
    """Begin an epoch in which the relays publish again from where log and topic differ.

    Records of the topic beyond that are no longer valid. Raises InvalidInput for an empty name or reason, Conflict if
    another epoch was begun meanwhile, StorageUnavailable, StreamUnavailable.
    """

    find_lost_events: FindLostEvents
    epochs: LogEpochs
    clock: Clock

    async def __call__(self, *, by: str, reason: str) -> RepairResult:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        loss = await self.find_lost_events()
        if not loss.any:
            return RepairResult(loss=loss, begun=None)
        begun = Epoch(epoch=loss.newest + 1, note=note, kept=loss.kept)
        await _begin(self.epochs, begun)
        return RepairResult(loss=loss, begun=begun)


@frozen
class Republish:
    """Publish the whole log again, in a new epoch; the records on the topic are no longer valid.

    Raises InvalidInput for an empty name or reason, Conflict if another epoch was begun meanwhile, StorageUnavailable,
    StreamUnavailable.
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
    if begun.epoch > MAX_EPOCH:
        raise Conflict(
            f"a record of epoch {begun.epoch - 1} is on the topic, after which none can begin; skip it first"
        )
    if not await epochs.begin(begun):
        raise Conflict(f"epoch {begun.epoch} was begun by another process meanwhile; try again")
