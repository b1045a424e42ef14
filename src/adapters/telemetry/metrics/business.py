"""Business in figures: what changes in the courses of orders that the consumer analytics keeps.

A course that was kept before changes nothing, so every fact counts once, whatever is handled again.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import define, field

from ....application.analytics.order_progress import OrderProgress
from ....application.analytics.ports import AnalyticsStore
from ....domain.lifecycle import OrderState
from . import catalogue as the
from .instruments import Instruments

_BETWEEN_WORDS = re.compile(r"[\W_]+")


@define(eq=False)
class InstrumentedAnalyticsStore:
    """``book``; how the courses that are kept differ from those that were asked for is told at the commit."""

    book: AnalyticsStore
    instruments: Instruments
    at_commit: Callable[[Callable[[], None]], None]
    _before: dict[str, OrderProgress] = field(factory=dict, init=False)

    async def courses(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        found = await self.book.courses(order_ids)
        self._before.update(found)
        return found

    async def keep(self, courses: Sequence[OrderProgress]) -> None:
        await self.book.keep(courses)
        moves = [(self._before.get(course.order_id), course) for course in courses]
        self.at_commit(lambda: self._told(moves))

    def _told(self, moves: Sequence[tuple[OrderProgress | None, OrderProgress]]) -> None:
        for before, after in moves:
            self._placed(before, after)
            self._spent(before, after)
            self._ended(before, after)

    def _placed(self, before: OrderProgress | None, after: OrderProgress) -> None:
        if before is None:
            self.instruments.add(the.CREATED)
            self.instruments.add(the.REVENUE, float(after.total.amount), currency=after.total.currency)

    def _spent(self, before: OrderProgress | None, after: OrderProgress) -> None:
        known = before.spent if before is not None else {}
        for state, time in after.spent.items():
            if state not in known:  # no order comes back to a state that it has left
                self.instruments.observe(the.IN_STATE, time.total_seconds(), state=state)

    def _ended(self, before: OrderProgress | None, after: OrderProgress) -> None:
        if after.state.terminal and (before is None or not before.state.terminal):
            self.instruments.add(the.ENDED, state=after.state)
            seconds = max(0.0, (after.since - after.created_at).total_seconds())
            self.instruments.observe(the.PROCESSING, seconds, state=after.state)
            if after.state is OrderState.CANCELLED:
                self.instruments.add(the.REVENUE_LOST, float(after.total.amount), currency=after.total.currency)
        if after.cancel_reason is not None and (before is None or before.cancel_reason is None):
            self.instruments.add(the.CANCELLATIONS, reason=_known(after.cancel_reason))
        if after.delivery_minutes is not None and (before is None or before.delivery_minutes is None):
            self.instruments.observe(the.DELIVERY, after.delivery_minutes * 60)


def _known(reason: str) -> str:
    """``Out of stock`` and ``out-of-stock`` are ``out_of_stock``; what there is no metric for becomes OTHER there."""
    return _BETWEEN_WORDS.sub("_", reason.strip().lower())
