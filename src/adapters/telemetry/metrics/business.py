"""Business metrics: how the consumer analytics changed its view of orders, once that is committed."""

import re
from collections.abc import Sequence

from ....application.analytics.order_progress import OrderProgress, ProgressChange
from ....domain.lifecycle import OrderState
from . import catalogue
from .instruments import Instruments

_BETWEEN_WORDS = re.compile(r"[\W_]+")


def count_business(instruments: Instruments, changes: Sequence[ProgressChange]) -> None:
    """Count ``changes``. An event that was handled before makes none, so that every fact counts once."""
    for change in changes:
        _count_created(instruments, change.before, change.after)
        _count_states(instruments, change.before, change.after)
        _count_end(instruments, change.before, change.after)


def _count_created(instruments: Instruments, before: OrderProgress | None, after: OrderProgress) -> None:
    if before is None:
        instruments.add(catalogue.CREATED)
        instruments.add(catalogue.REVENUE, float(after.total.amount), currency=after.total.currency)


def _count_states(instruments: Instruments, before: OrderProgress | None, after: OrderProgress) -> None:
    known = before.spent if before is not None else {}
    for state, time in after.spent.items():
        if state not in known:  # no order comes back to a state that it has left
            instruments.observe(catalogue.IN_STATE, time.total_seconds(), state=state)


def _count_end(instruments: Instruments, before: OrderProgress | None, after: OrderProgress) -> None:
    if after.state.terminal and (before is None or not before.state.terminal):
        instruments.add(catalogue.ENDED, state=after.state)
        seconds = max(0.0, (after.since - after.created_at).total_seconds())
        instruments.observe(catalogue.PROCESSING, seconds, state=after.state)
        if after.state is OrderState.CANCELLED:
            instruments.add(catalogue.REVENUE_LOST, float(after.total.amount), currency=after.total.currency)
    if after.cancel_reason is not None and (before is None or before.cancel_reason is None):
        instruments.add(catalogue.CANCELLATIONS, reason=_label(after.cancel_reason))
    if after.delivery_minutes is not None and (before is None or before.delivery_minutes is None):
        instruments.observe(catalogue.DELIVERY, after.delivery_minutes * 60)


def _label(reason: str) -> str:
    """Return ``out_of_stock`` for ``Out of stock`` or ``out-of-stock``; an unknown reason becomes OTHER later."""
    return _BETWEEN_WORDS.sub("_", reason.strip().lower())
