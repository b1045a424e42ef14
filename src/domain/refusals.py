"""How an order says no: which guard failed, and what would unlock it."""

from typing import TYPE_CHECKING

from .actor import Actor, Role
from .errors import CommandRefused, GuardFailed, IllegalTransition, NotPermitted
from .lifecycle import ASSIGNABLE, ASSIGNERS, OrderState, Relation, next_states, transition
from .payment import PaymentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .order import Order


def _refuse(error: type[CommandRefused], order: "Order", action: str, guard: str, unlock: str) -> CommandRefused:
    return error(
        order_id=order.id,
        action=action,
        state=order.state,
        allowed=tuple(next_states(order.state)),
        guard=guard,
        unlock=unlock,
    )


def no_arrow(order: "Order", target: OrderState) -> CommandRefused:
    guard = f"there is no way from {order.state} to {target}"
    if order.state is target:
        guard = f"it is {target} already, by another cause"
    unlock = "this state is final" if order.state.terminal else "go through one of the next states"
    return _refuse(IllegalTransition, order, target, guard, unlock)


def may_not(order: "Order", target: OrderState, by: Actor) -> CommandRefused:
    arrow = transition(order.state, target)
    unlock = f"{_who(arrow.by)} may" if arrow else f"ask as somebody who may move an order to {target}"
    return _refuse(NotPermitted, order, target, f"{by} may not", unlock)


def no_shipper(order: "Order", target: OrderState) -> CommandRefused:
    unlock = "assign a shipper first, or give a shipper in the same request"
    return _refuse(GuardFailed, order, target, "no shipper is assigned", unlock)


def no_reason(order: "Order", target: OrderState) -> CommandRefused:
    return _refuse(GuardFailed, order, target, "no reason is given", "give a non-empty reason")


def may_not_assign(order: "Order", by: Actor, action: str) -> CommandRefused:
    unlock = f"{_who(ASSIGNERS)} may"
    if by.role is Role.SHIPPER:
        unlock = "a shipper may take an order for itself; the order's restaurant or an admin may assign any shipper"
    return _refuse(NotPermitted, order, action, f"{by} may not", unlock)


def assigned_to_other(order: "Order", by: Actor, action: str) -> CommandRefused:
    guard = f"{by} may not take it from another shipper, nor give it to one"
    return _refuse(NotPermitted, order, action, guard, "the order's restaurant or an admin may replace the shipper")


def not_assignable(order: "Order") -> CommandRefused:
    guard = f"a shipper can only be assigned while {' or '.join(ASSIGNABLE)}"
    return _refuse(GuardFailed, order, "assign_shipper", guard, "the assigned shipper stays")


def may_not_pay(order: "Order", by: Actor) -> CommandRefused:
    unlock = "the order's restaurant or shipper, an admin, or with a card its customer may"
    return _refuse(NotPermitted, order, "record_payment", f"{by} may not", unlock)


def cancelled_unpaid(order: "Order") -> CommandRefused:
    return _refuse(GuardFailed, order, "record_payment", "a cancelled order takes no payment", "place a new order")


def payment_settled(order: "Order", outcome: PaymentStatus) -> CommandRefused:
    guard = f"a payment that is {order.payment.status} cannot become {outcome}"
    return _refuse(GuardFailed, order, "record_payment", guard, "cancel the order to give a payment back")


def _who(ties: "Mapping[Role, Relation]") -> str:
    return " or ".join(f"an {role}" if tie is Relation.ANY else f"the order's {role}" for role, tie in ties.items())
