"""The courses of all orders are made anew from the log, beside those in use, and take their place."""

from collections.abc import Sequence

from attrs import field, frozen

from ...domain.errors import OrderFlowError
from ..analytics.analyse import Analyse
from ..analytics.ports import AnalyticsQueries
from ..clock import Clock, NewId
from ..consuming.consumer import Consumer, ConsumerTransaction
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import Cursors, Decode, EventLog
from ..event_log.records import Delivery, LogRecord, Positions
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from .bisect_batch import bisect_batch
from .rebuilding import AnalyticsShadow, RebuildResult, RebuildTransaction
from .replay_events import Progress, unseen
from .replay_range import Concerned, LogReplaySource, StoppedOrder

PAGE = 2_000
"""Events in a transaction, and how many may be left for the one that swaps."""


@frozen(kw_only=True)
class RebuildAnalytics:
    """Figures are asked for and the consumer goes on meanwhile: what is built is not seen before it is complete.

    The last transaction holds all cursors of the consumer, handles what it has come to in the meantime, and swaps: so
    from then on the courses tell of exactly the events up to those cursors. One that ends before has changed nothing,
    and another begins from nothing. Where an order cannot be brought as far as it is now, nothing is swapped.
    """

    beside: AnalyticsShadow
    log: EventLog
    cursors: Cursors
    letters: DeadLetters
    views: AnalyticsQueries
    maintenance_log: MaintenanceLog
    decode: Decode
    clock: Clock
    new_id: NewId
    buckets: int
    consumer: Consumer = field(factory=Analyse)
    page: int = PAGE

    async def __call__(self, *, by: str, reason: str, progress: Progress = unseen) -> RebuildResult:
        """Raises InvalidInput; RebuildOvertaken when somebody begins another; StorageUnavailable."""
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        await self._note(MaintenanceKind.REBUILD, "begun", note)
        run = self.new_id()
        await self.beside.begin(run)
        at: dict[int, int] = {}
        stopped: dict[str, StoppedOrder] = {}

        async def keep(records: Sequence[LogRecord]) -> None:
            async with self.beside.store(run) as work:
                await self._handle(records, work)

        while _many(left := _left(at, await self.cursors.positions(self.consumer.name))) > self.page:
            async for records in LogReplaySource(self.log, self.page)(left, None):
                await bisect_batch(_take(records, left, at), keep, stopped)
                progress(sum(at.values()), sum(at.values()) + _many(_left(at, _ends(left))))
        async with self.beside.store(run) as work:
            rebuilt = await self._finish(work, at, stopped)
        progress(rebuilt.events, rebuilt.events)
        if rebuilt.swapped is not None:
            detail = f"{rebuilt.swapped.courses} courses, {rebuilt.swapped.changed} of them changed"
            await self._note(MaintenanceKind.SWAP, detail, note)
        return rebuilt

    async def _finish(
        self, work: RebuildTransaction, at: dict[int, int], stopped: dict[str, StoppedOrder]
    ) -> RebuildResult:
        async def keep(records: Sequence[LogRecord]) -> None:
            await self._handle(records, work)

        left = _left(at, await work.hold(range(self.buckets)))
        async for records in LogReplaySource(self.log, self.page)(left, None):
            # Whatever else goes wrong here may be the transaction's own failure.
            await bisect_batch(_take(records, left, at), keep, stopped, failing=OrderFlowError)
        # A redrive changes courses without moving a cursor: held like this, it comes before all of it or after.
        await work.dead_letters.parked([it.record.order_id for it in await self.letters.blocking(self.consumer.name)])
        known = await self.views.of_orders(stopped.keys())
        whole = all(course.events < stopped[order_id].sequence for order_id, course in known.items())
        return RebuildResult(
            events=sum(at.values()), swapped=await work.swap() if whole else None, stopped=tuple(stopped.values())
        )

    async def _handle(self, records: Sequence[LogRecord], work: ConsumerTransaction) -> None:
        await self.consumer.handle([Delivery(record, self.decode(record)) for record in records], work)

    async def _note(self, kind: MaintenanceKind, detail: str, note: OperatorNote) -> None:
        await self.maintenance_log.record(
            MaintenanceEntry(kind=kind, consumer=self.consumer.name, detail=detail, note=note)
        )


def _left(at: Positions, until: Positions) -> Concerned:
    """What comes after ``at``, up to ``until``."""
    spans = {bucket: range(at.get(bucket, 0) + 1, position + 1) for bucket, position in until.items()}
    return {bucket: span for bucket, span in spans.items() if span}


def _ends(left: Concerned) -> Positions:
    return {bucket: span[-1] for bucket, span in left.items()}


def _many(left: Concerned) -> int:
    return sum(len(span) for span in left.values())


def _take(records: Sequence[LogRecord], left: Concerned, at: dict[int, int]) -> Sequence[LogRecord]:
    """Those of ``records`` that are ``left``; ``at`` has moved behind them."""
    taken = [record for record in records if record.position <= left[record.bucket][-1]]
    at.update({record.bucket: record.position for record in taken})
    return taken
