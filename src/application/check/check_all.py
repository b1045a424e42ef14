"""The check of a whole installation."""

from attrs import frozen

from ..event_log.ports import EventLog
from .effects import CheckEffects
from .orders_and_log import CheckOrdersAndLog
from .payments import CheckPayments
from .report import CheckReport
from .topic import CheckTopic


@frozen
class CheckAll:
    """Compares orders, log, payments, the topic if there is one, and the consumers' effects.

    The log is read once, some buckets at a time, and each event is decoded once.
    Raises StorageUnavailable, StreamUnavailable.
    """

    log: EventLog
    orders_and_log: CheckOrdersAndLog
    effects: CheckEffects
    payments: CheckPayments
    topic: CheckTopic | None

    async def __call__(self) -> CheckReport:
        report = CheckReport()
        heads = dict(await self.log.heads())
        effects = await self.effects.begin(heads)
        folded = await self.orders_and_log(report, heads, effects)
        await self.payments(report, folded.facts)
        if self.topic is None:
            report.skip("the topic holds the log's events", "no relay publishes here; consumers read the log")
        else:
            await self.topic(report, folded, heads)
        effects.add_to(report)
        return report
