"""The states of an order, and the table of its transitions: source, target, actors and guard."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Self

from attrs import frozen

from .actor import Role
from .errors import InvalidInput
from .text import shown


class OrderState(StrEnum):
    WAITING_FOR_SHIPPER = "waiting_for_shipper"
    PREPARING = "preparing"
    ON_THE_WAY = "on_the_way"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"

    @classmethod
    def parse(cls, text: str, *, field: str = "state") -> Self:
        """Return the state of that name; ``cancel`` is another name of ``cancelled``. Raises InvalidInput."""
        try:
            return cls("cancelled" if text == "cancel" else text)
        except ValueError:
            raise InvalidInput(field, f"{shown(text)} is no order state", ", ".join([*cls, "cancel"])) from None

    @property
    def terminal(self) -> bool:
        return not next_states(self)


class Relation(StrEnum):
    """The relation to the order that an actor must have to be allowed an action."""

    ANY = "any"
    OWN = "own"
    ASSIGNED = "assigned"


class Guard(StrEnum):
    """A condition of a transition besides the actor."""

    SHIPPER = "shipper assigned"
    REASON = "reason given"


@frozen
class Transition:
    """A row of the table; ``by`` has the roles that may make it, each with the relation that it needs."""

    source: OrderState
    target: OrderState
    by: Mapping[Role, Relation]
    guard: Guard | None = None


_W, _P, _O, _D, _C = OrderState
_CANCEL = {Role.RESTAURANT: Relation.OWN, Role.ADMIN: Relation.ANY}


TRANSITIONS: tuple[Transition, ...] = (
    Transition(_W, _P, {Role.RESTAURANT: Relation.OWN, Role.ADMIN: Relation.ANY}),
    Transition(_P, _O, {Role.SHIPPER: Relation.ASSIGNED, Role.ADMIN: Relation.ANY}, Guard.SHIPPER),
    Transition(_O, _D, {Role.SHIPPER: Relation.ASSIGNED, Role.ADMIN: Relation.ANY}),
    Transition(_W, _C, {Role.CUSTOMER: Relation.OWN, **_CANCEL}, Guard.REASON),
    Transition(_P, _C, {Role.CUSTOMER: Relation.OWN, **_CANCEL}, Guard.REASON),
    Transition(_O, _C, _CANCEL, Guard.REASON),
)


ASSIGNABLE = (_W, _P)
"""The states in which a shipper may be assigned or replaced; assigning in the first moves the order to the second."""


ASSIGNERS: Mapping[Role, Relation] = {
    Role.RESTAURANT: Relation.OWN,
    Role.SHIPPER: Relation.ASSIGNED,
    Role.ADMIN: Relation.ANY,
}
"""The roles that may assign a shipper. A shipper may only assign itself, to an order that has none."""


LATE_AFTER: Mapping[OrderState, timedelta] = {
    _W: timedelta(minutes=15),
    _P: timedelta(minutes=60),
    _O: timedelta(minutes=90),
}
"""The time without any change after which an order is late. The rules of the alert have the same limits."""


MAX_EVENTS = 1_000
"""Events of an order from which on nothing that can be repeated without end adds another one.

That is replacing its shipper, a payment that fails again, and refunding a part of what is left. All other behaviours
stay possible, so every order comes to an end, and its whole history can be read at once.
"""


_TABLE = {(t.source, t.target): t for t in TRANSITIONS}


def transition(source: OrderState, target: OrderState) -> Transition | None:
    """Return the transition from one state to another, or None if the table has none."""
    return _TABLE.get((source, target))


def next_states(source: OrderState) -> tuple[OrderState, ...]:
    return tuple(t.target for t in TRANSITIONS if t.source is source)
