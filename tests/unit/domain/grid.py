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


def cells(page: str) -> list[Any]:
    """A parameter set for every cell: the row's words, the actor, the sign."""
    return [
        pytest.param(*words, actor, sign, id=f"{' '.join(words)} by {actor}")
        for *words, signs in rows(page)
        for actor, sign in zip(ACTORS, signs.split(), strict=True)
    ]


def check(order: Order, actor: Actor, sign: str, action: str, ask: Callable[[Order], Change]) -> Change | None:
    """Asks, and holds the answer to what the sign promises about every such answer."""
    if sign == "+":
        change = ask(order)
        assert change.events, f"{actor} may"
        assert change.order.version == order.version + len(change.events)
        return change
    if sign == "=":
        change = ask(order)
        assert change.order is order
        assert change.events == ()
        assert change.refund is None
        return change
    with pytest.raises(OrderFlowError) as refused:
        ask(order)
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
