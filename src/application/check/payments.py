"""Compares the payment of each order with the attempts to move its money."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from attrs import frozen

from ...domain.order import Order
from ..clock import Clock
from ..orders.payment_attempts import AttemptStatus, PaymentAttempt, contradiction
from ..orders.ports import PaymentAttempts
from .orders_and_log import OrderAudit
from .read_rows import read_rows
from .report import CheckReport

PAGE = 1000
TRIES = 3
"""The number of times an order is read whose payment is just being changed."""


@frozen
class CheckPayments:
    """Checks that each attempt has an outcome, and that what was captured and refunded fits the order's payment.

    An attempt whose request is running is a note.
    """

    attempts: PaymentAttempts
    orders: OrderAudit
    clock: Clock

    async def __call__(self, report: CheckReport, order_ids: Collection[str]) -> None:
        comparison = report.start("payments are settled and fit their orders", "attempts")
        running = 0
        ids = sorted(order_ids)
        for start in range(0, len(ids), PAGE):
            by_order, damaged = await read_rows(partial(attempts_by_order, self.attempts), ids[start : start + PAGE])
            rows, unreadable = await read_rows(self.orders.many, by_order)
            for order_id, problem in damaged.items():
                comparison.differ(f"order {order_id}", f"one of its attempts: {problem}")
            for order_id, attempts in by_order.items():
                if order_id in unreadable:
                    continue  # its row is a difference of its own
                comparison.compared += len(attempts)
                if _problem(rows.get(order_id), attempts) and (now_wrong := await self._problem_now(order_id)):
                    comparison.differ(f"order {order_id}", now_wrong)
                running += sum(a.status is AttemptStatus.REQUESTED for a in attempts)
        now = self.clock()
        for attempt in await self.attempts.list_outstanding(now, limit=PAGE):
            if attempt.status is AttemptStatus.REQUESTED:
                since = f"requested at {attempt.requested_at:%Y-%m-%d %H:%M:%S} UTC"
                comparison.differ(
                    f"payment attempt {attempt.key}", f"has no outcome, {since}; {attempt.detail}".rstrip("; ")
                )
                running -= 1
            elif attempt.status is AttemptStatus.HELD:
                comparison.differ(f"payment attempt {attempt.key}", "holds money on a card that nothing will capture")
        if running > 0:
            report.notes.append(f"{running} payment attempts are running")

    async def _problem_now(self, order_id: str) -> str | None:
        """Return what is wrong with the payment of an order; read again while it changes."""
        for _ in range(TRIES):
            attempts = await self.attempts.of_order(order_id)
            problem = _problem((await self.orders.many([order_id])).get(order_id), attempts)
            if problem is None or attempts == await self.attempts.of_order(order_id):
                return problem
        return None


async def attempts_by_order(
    attempts: PaymentAttempts, order_ids: Collection[str]
) -> Mapping[str, Sequence[PaymentAttempt]]:
    """Return the attempts of these orders, by order; an order without any is left out."""
    found: dict[str, list[PaymentAttempt]] = defaultdict(list)
    for attempt in await attempts.of_orders(order_ids):
        found[attempt.order_id].append(attempt)
    return found


def _problem(order: Order | None, attempts: Sequence[PaymentAttempt]) -> str | None:
    if order is None:
        return "has payment attempts, but no row"
    return contradiction(order.payment, order.total, attempts)
