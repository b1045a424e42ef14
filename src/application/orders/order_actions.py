"""All actions on an order as one actor sees them: which it may take now, and what the others need."""

from collections.abc import Callable, Sequence

from attrs import frozen

from ...domain.actor import Actor, Role
from ...domain.consent import RestaurantOrders
from ...domain.errors import CommandRefused
from ...domain.lifecycle import OrderState
from ...domain.order import Change, Order
from ...domain.refund import RefundBearer

_SHIPPER, _REASON = "a-shipper", "a reason"
"""Values that stand for those that an actor would send with an action."""


@frozen(kw_only=True)
class ActionCheck:
    """One action. It is ``allowed`` with the values that it ``needs``, or the order refuses it.

    ``guard`` is the condition that failed then, and ``unlock`` what would fulfil it.
    """

    name: str
    allowed: bool
    needs: tuple[str, ...] = ()
    guard: str = ""
    unlock: str = ""


def check_actions(
    order: Order, by: Actor, restaurants: RestaurantOrders = RestaurantOrders.NONE
) -> Sequence[ActionCheck]:
    """Return every action with the order's own answer to ``by``. Nothing is changed.

    ``restaurants`` is what the installation lets restaurants do without their customers.
    """
    allowed = {action.name: action.needs for action in order.allowed_actions(by, restaurants)}
    return [
        ActionCheck(name=name, allowed=True, needs=allowed[name]) if name in allowed else _refused(name, attempt)
        for name, attempt in _attempts(order, by, restaurants).items()
    ]


def _attempts(order: Order, by: Actor, restaurants: RestaurantOrders) -> dict[str, Callable[[], Change]]:
    at, shipper = order.updated_at, by.id if by.role is Role.SHIPPER else _SHIPPER
    return {
        OrderState.PREPARING.value: lambda: order.prepare(by=by, at=at),
        "assign_shipper": lambda: order.assign_shipper(shipper, by=by, at=at),
        OrderState.ON_THE_WAY.value: lambda: order.send_out(by=by, at=at),
        OrderState.DELIVERED.value: lambda: order.deliver(by=by, at=at),
        "record_payment": lambda: order.record_payment(paid=True, by=by, at=at, restaurants=restaurants),
        "refund": lambda: order.request_refund(None, _REASON, borne_by=RefundBearer.RESTAURANT, by=by, at=at),
        OrderState.CANCELLED.value: lambda: order.cancel(_REASON, by=by, at=at),
    }


def _refused(name: str, attempt: Callable[[], Change]) -> ActionCheck:
    try:
        attempt()
    except CommandRefused as refusal:
        return ActionCheck(name=name, allowed=False, guard=refusal.guard, unlock=refusal.unlock)
    return ActionCheck(name=name, allowed=False, guard="it is done already", unlock="nothing is left to do")
