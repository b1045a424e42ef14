"""The states of an order, who may move it, and the one transition table that everything else is read from."""

from collections.abc import Mapping
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
        """The state of that name; ``cancel`` is another name of ``cancelled``. Raises InvalidInput."""
        try:
            return cls("cancelled" if text == "cancel" else text)
        except ValueError:
            raise InvalidInput(field, f"{shown(text)} is no order state", ", ".join([*cls, "cancel"])) from None

    @property
    def terminal(self) -> bool:
        return not next_states(self)


class Relation(StrEnum):
    """How an actor must belong to the order before it may act."""

    ANY = "any"
    OWN = "own"
    ASSIGNED = "assigned"


class Guard(StrEnum):
    SHIPPER = "shipper assigned"
    REASON = "reason given"


@frozen
class Transition:
    source: OrderState
    target: OrderState
    by: Mapping[Role, Relation]
    need: Guard | None = None


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


PLACERS: Mapping[Role, Relation] = {
    Role.CUSTOMER: Relation.OWN,
    Role.RESTAURANT: Relation.OWN,
    Role.ADMIN: Relation.ANY,
}
"""Who may place an order, and so who may repeat that it is waiting: a restaurant takes orders by telephone."""


ASSIGNABLE = (_W, _P)
"""A shipper may be assigned or replaced in these states; assigning in the first moves the order on."""


ASSIGNERS: Mapping[Role, Relation] = {
    Role.RESTAURANT: Relation.OWN,
    Role.SHIPPER: Relation.ASSIGNED,
    Role.ADMIN: Relation.ANY,
}
"""A shipper assigns itself, and only where nobody else is assigned."""


_TABLE = {(t.source, t.target): t for t in TRANSITIONS}


def transition(source: OrderState, target: OrderState) -> Transition | None:
    """The table's arrow from one state to another, or None where there is none."""
    return _TABLE.get((source, target))


def next_states(source: OrderState) -> tuple[OrderState, ...]:
    return tuple(t.target for t in TRANSITIONS if t.source is source)


def state_diagram() -> str:
    """The transition table as a Mermaid state diagram; the documentation's copy is checked against it."""
    lines = ["stateDiagram-v2", f"    [*] --> {OrderState.WAITING_FOR_SHIPPER}"]
    for t in TRANSITIONS:
        who = ", ".join(role if tie is Relation.ANY else f"{tie} {role}" for role, tie in t.by.items())
        label = who + (f" [{t.need}]" if t.need else "")
        if (t.source, t.target) == (_W, _P):
            label += ", or by assigning a shipper"
        lines.append(f"    {t.source} --> {t.target}: {label}")
    lines += [f"    {state} --> [*]" for state in OrderState if state.terminal]
    return "\n".join(lines) + "\n"
