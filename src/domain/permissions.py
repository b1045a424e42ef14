"""Who may do what with an order now."""

from typing import TYPE_CHECKING

from attrs import frozen

from .actor import Actor, Role
from .lifecycle import ASSIGNABLE, ASSIGNERS, PLACERS, TRANSITIONS, Guard, OrderState, Relation
from .payment import PAYMENT_PATHS, PaymentMethod, PaymentStatus

if TYPE_CHECKING:
    from .order import Order


@frozen
class Action:
    """Something that an actor may do now; ``needs`` are the values it must bring along."""

    name: str
    needs: tuple[str, ...] = ()


def is_related(order: "Order", actor: Actor, tie: Relation, shipper_id: str | None = None) -> bool:
    """Whether ``actor`` belongs to ``order`` as ``tie`` asks; ``shipper_id`` is a shipper about to be assigned."""
    if tie is Relation.ANY or actor.role is Role.ADMIN:
        return True
    own = {
        Role.CUSTOMER: order.customer_id,
        Role.RESTAURANT: order.restaurant_id,
        Role.SHIPPER: shipper_id or order.shipper_id,
    }
    return actor.id == own[actor.role]


def may_pay(order: "Order", actor: Actor) -> bool:
    """Cash is recorded by those who may have received it, a card by everybody who takes part."""
    gives = order.payment.method is PaymentMethod.CASH and actor.role is Role.CUSTOMER
    return is_related(order, actor, Relation.OWN) and not gives


def may_have_moved(order: "Order", actor: Actor, target: OrderState) -> bool:
    """Whether ``actor`` may be who brought this order to ``target``: by the table, or by placing it."""
    roads = [t.by for t in TRANSITIONS if t.target is target]
    if target is OrderState.WAITING_FOR_SHIPPER:
        roads.append(PLACERS)
    ties = [by[actor.role] for by in roads if actor.role in by]
    return any(is_related(order, actor, tie) for tie in ties)


def allowed_actions(order: "Order", actor: Actor) -> tuple[Action, ...]:
    """What ``actor`` may do with ``order`` now, each with the values it must bring along."""
    actions = []
    for t in TRANSITIONS:
        tie = t.by.get(actor.role)
        if t.source is not order.state or tie is None:
            continue
        missing = t.need is Guard.SHIPPER and order.shipper_id is None
        takes_it = missing and actor.role is Role.SHIPPER
        if takes_it or is_related(order, actor, tie):
            needs = ("reason",) if t.need is Guard.REASON else ("shipperId",) if missing else ()
            actions.append(Action(t.target, needs))
    tie = ASSIGNERS.get(actor.role)
    if order.state in ASSIGNABLE and tie is not None:
        free = order.shipper_id is None if actor.role is Role.SHIPPER else is_related(order, actor, tie)
        if free:
            actions.append(Action("assign_shipper", ("shipperId",)))
    payable = PaymentStatus.PAID in PAYMENT_PATHS[order.payment.status]
    if payable and order.state is not OrderState.CANCELLED and may_pay(order, actor):
        actions.append(Action("record_payment"))
    return tuple(actions)
