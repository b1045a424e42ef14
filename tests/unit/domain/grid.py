"""Expectations as a page of signs: a row for what is asked of which order, a column for each actor.

``+`` it happens, ``=`` it is so already and nothing changes, ``x`` no such arrow, ``-`` not this actor,
``s`` a shipper is missing, ``r`` a reason is missing, ``g`` another guard, ``i`` the input does not fit.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from orderflow.domain.actor import Actor
from orderflow.domain.errors import (
    CommandRefused,
    GuardFailed,
    IllegalTransition,
    InvalidInput,
    NotPermitted,
    OrderFlowError,
)
from orderflow.domain.order import Change, Order

from tests.unit.domain.actors import ACTORS, NEXT

REFUSALS: dict[str, type[OrderFlowError]] = {
    "x": IllegalTransition,
    "-": NotPermitted,
    "s": GuardFailed,
    "r": GuardFailed,
    "g": GuardFailed,
    "i": InvalidInput,
}
UNLOCKS = {"s": "assign a shipper", "r": "give a non-empty reason"}


def rows(page: str) -> list[list[str]]:
    """The words of each row, the signs last; the line above them names the actors."""
    return [[part.strip() for part in row.split("|")] for row in page.splitlines() if "|" in row]


def each_row(page: str) -> list[Any]:
    """A parameter set for every row: its words and its signs."""
    return [pytest.param(*row, id=" ".join(row[:-1])) for row in rows(page)]


def check(order: Order, signs: str, action: str, ask: Callable[[Actor], Change]) -> list[Change]:
    """Ask as each actor, and hold each answer to what its sign promises; return what happened or was so already."""
    answers = [_check_one(order, actor, sign, action, ask) for actor, sign in zip(ACTORS, signs.split(), strict=True)]
    return [change for change in answers if change is not None]


def _check_one(order: Order, actor: Actor, sign: str, action: str, ask: Callable[[Actor], Change]) -> Change | None:
    if sign == "+":
        change = ask(actor)
        assert change.events, f"{actor} may"
        assert change.order.version == order.version + len(change.events)
        return change
    if sign == "=":
        change = ask(actor)
        assert change.order is order
        assert change.events == ()
        assert change.refund is None
        return change
    with pytest.raises(OrderFlowError) as refused:
        ask(actor)
    error = refused.value
    assert type(error) is REFUSALS[sign], str(error)
    if isinstance(error, CommandRefused):
        assert (error.order_id, error.action, error.state) == (order.id, action, order.state)
        assert error.allowed == NEXT[order.state]
        assert all(word in str(error) for word in (order.id, action, order.state, *NEXT[order.state]))
        assert error.guard
        assert error.guard in str(error)
        assert UNLOCKS.get(sign, "") in error.unlock
        assert error.unlock
        assert error.unlock in str(error)
        assert sign != "-" or str(actor) in error.guard
    return None


def later(order: Order, minutes: int = 1) -> dict[str, object]:
    return {"at": order.updated_at + timedelta(minutes=minutes)}
