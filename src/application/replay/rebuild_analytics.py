"""Rebuild the data of analytics from the log, and swap it in."""

from collections.abc import Sequence

from attrs import field, frozen

from ...domain.errors import OrderFlowError
from ...domain.text import counted
from ..analytics.analyse import Analyse
from ..analytics.ports import AnalyticsQueries, AnalyticsTransaction
from ..clock import Clock, NewId
from ..consuming.consumer import Consumer
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import Cursors, Decode, EventLog
from ..event_log.records import Delivery, LogRecord, Positions
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..noop import noop
from ..operator_note import OperatorNote
from .bisect_batch import bisect_batch
from .rebuilding import AnalyticsShadow, RebuildResult, RebuildTransaction
from .replay_events import Progress
from .replay_range import LogReplaySource, MissingPosition, Selection, StoppedOrder

PAGE = 2_000
"""Events in one transaction; as many may be left for the last one."""


@frozen(kw_only=True)
class RebuildAnalytics:
    """Rebuild the data of analytics in a shadow table, while the consumer and its queries continue.

    The last transaction locks all cursors of the consumer, handles the events that it has handled meanwhile, and swaps.
    So the new data includes exactly the events up to those cursors. A rebuild that fails changes nothing, and the next
    one starts from the beginning. If an order would lose events, or the log ends before a cursor, nothing is swapped.
    """

    shadow: AnalyticsShadow
    log: EventLog
    cursors: Cursors
    dead_letters: DeadLetters
    queries: AnalyticsQueries
    maintenance_log: MaintenanceLog
    decode: Decode
    clock: Clock
    new_id: NewId
    buckets: int
    consumer: Consumer[AnalyticsTransaction] = field(factory=Analyse)
    page: int = PAGE

    async def __call__(self, *, by: str, reason: str, progress: Progress = noop) -> RebuildResult:
        """Rebuild and swap. Raises InvalidInput, StorageUnavailable; RebuildOvertaken if another one was started."""
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        await self._record(MaintenanceKind.REBUILD, "begun", note)
        run = self.new_id()
        await self.shadow.begin(run)
        at: dict[int, int] = {}
        stopped: dict[str, StoppedOrder] = {}

        async def keep(records: Sequence[LogRecord]) -> None:
            async with self.shadow.store(run) as work:
                await self._handle(records, work)

        while _count(left := _left(at, await self.cursors.positions(self.consumer.name))) > self.page:
            before = dict(at)
            async for records in LogReplaySource(self.log, self.page)(left, None):
                await bisect_batch(_take(records, left, at), keep, stopped)
                progress(sum(at.values()), sum(at.values()) + _count(_left(at, _ends(left))))
            if at == before:
                break  # the log lacks these events
        async with self.shadow.store(run) as work:
            rebuilt = await self._finish(work, at, stopped)
        progress(rebuilt.events, rebuilt.events)
        if rebuilt.swapped is not None:
            detail = f"{counted(rebuilt.swapped.orders, 'order')}, {rebuilt.swapped.changed} of them changed"
            await self._record(MaintenanceKind.SWAP, detail, note)
        return rebuilt

    async def _finish(
        self, work: RebuildTransaction, at: dict[int, int], stopped: dict[str, StoppedOrder]
    ) -> RebuildResult:
        async def keep(records: Sequence[LogRecord]) -> None:
            await self._handle(records, work)

        left = _left(at, await work.hold(range(self.buckets)))
        async for records in LogReplaySource(self.log, self.page)(left, None):
            # Other exceptions may be failures of the transaction itself.
            await bisect_batch(_take(records, left, at), keep, stopped, failing=OrderFlowError)
        # A redrive changes the data without moving a cursor; these locks order it before or after this transaction.
        await work.dead_letters.parked(
            [it.record.order_id for it in await self.dead_letters.blocking(self.consumer.name)]
        )
        known = await self.queries.of_orders(stopped.keys())
        missing = [MissingPosition(bucket=bucket, position=span[0]) for bucket, span in _left(at, _ends(left)).items()]
        whole = not missing and all(order.events < stopped[order_id].sequence for order_id, order in known.items())
        return RebuildResult(
            events=sum(at.values()),
            swapped=await work.swap() if whole else None,
            stopped=tuple(stopped.values()),
            missing=tuple(missing),
        )

    async def _handle(self, records: Sequence[LogRecord], work: AnalyticsTransaction) -> None:
        await self.consumer.handle([Delivery(record, self.decode(record)) for record in records], work)

    async def _record(self, kind: MaintenanceKind, detail: str, note: OperatorNote) -> None:
        await self.maintenance_log.record(
            MaintenanceEntry(kind=kind, consumer=self.consumer.name, detail=detail, note=note)
        )


def _left(at: Positions, until: Positions) -> Selection:
    """Return the positions after ``at``, up to ``until``."""
    spans = {bucket: range(at.get(bucket, 0) + 1, position + 1) for bucket, position in until.items()}
    return {bucket: span for bucket, span in spans.items() if span}


def _ends(left: Selection) -> Positions:
    return {bucket: span[-1] for bucket, span in left.items()}


def _count(left: Selection) -> int:
    return sum(len(span) for span in left.values())


def _take(records: Sequence[LogRecord], left: Selection, at: dict[int, int]) -> Sequence[LogRecord]:
    """Return the records that are ``left``, and move ``at`` behind them."""
    taken = [record for record in records if record.position <= left[record.bucket][-1]]
    at.update({record.bucket: record.position for record in taken})
    return taken
