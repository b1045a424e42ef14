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
        folded = await self.orders_and_log(report, heads)
        await self.payments(report, folded.facts)
        if self.topic is None:
            report.skip("the topic holds the log's events", "no relay publishes here; consumers read the log")
        else:
            await self.topic(report, folded, heads)
        await self.effects(report, heads)
        return report
