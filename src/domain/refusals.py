"""The refusals of an order, one function each: which guard failed, and what to do about it."""

from collections.abc import Mapping

from .actor import Actor, Role
from .consent import CONSENT, RestaurantOrders, paying, placing
from .errors import NEW, CommandRefused, GuardFailed, IllegalTransition, NotPermitted
from .lifecycle import ASSIGNABLE, ASSIGNERS, MAX_EVENTS, OrderState, Relation, next_states, transition
from .payment import PaymentStatus
from .permissions import OrderFields


def no_transition(order: OrderFields, target: OrderState) -> CommandRefused:
    guard = f"there is no transition from {order.state} to {target}"
    if order.state is target:
        guard = f"it is already {target}, for another reason"
    unlock = "this state is final" if order.state.terminal else "use one of the next states"
    return _refuse(IllegalTransition, order, target, guard, unlock)


def not_permitted(order: OrderFields, target: OrderState, by: Actor) -> CommandRefused:
    rule = transition(order.state, target)
    unlock = f"{_parties(rule.by)} may" if rule else f"use an actor that may bring an order to {target}"
    return _refuse(NotPermitted, order, target, f"{by} is not permitted", unlock)


def may_not_record(order: OrderFields, by: Actor) -> CommandRefused:
    guard = f"{by} may not record the outcome of a card payment"
    unlock = "leave the outcome out to charge the card, or act as an admin"
    return _refuse(NotPermitted, order, "record_payment", guard, unlock)


def no_shipper(order: OrderFields, target: OrderState) -> CommandRefused:
    unlock = "assign a shipper first, or give a shipper in the same request"
    return _refuse(GuardFailed, order, target, "no shipper is assigned", unlock)


def no_reason(order: OrderFields, target: OrderState) -> CommandRefused:
    return _refuse(GuardFailed, order, target, "no reason is given", "give a non-empty reason")


def may_not_assign(order: OrderFields, by: Actor, action: str) -> CommandRefused:
    unlock = f"{_parties(ASSIGNERS)} may"
    if by.role is Role.SHIPPER:
        unlock = "a shipper may take an order for itself; the order's restaurant or an admin may assign any shipper"
    return _refuse(NotPermitted, order, action, f"{by} is not permitted", unlock)


def assigned_to_other(order: OrderFields, by: Actor, action: str) -> CommandRefused:
    guard = f"{by} may not take the order from another shipper, nor assign another shipper"
    return _refuse(NotPermitted, order, action, guard, "the order's restaurant or an admin may replace the shipper")


def not_assignable(order: OrderFields) -> CommandRefused:
    guard = f"a shipper can only be assigned while {' or '.join(ASSIGNABLE)}"
    return _refuse(GuardFailed, order, "assign_shipper", guard, "the assigned shipper stays")


def too_many_events(order: OrderFields, action: str, unlock: str) -> CommandRefused:
    return _refuse(GuardFailed, order, action, f"the order has {order.version} events, at most {MAX_EVENTS}", unlock)


def may_not_place(order: OrderFields, by: Actor) -> CommandRefused:
    rule = CONSENT[placing(by_card=order.payment.by_card)]
    guard = f"{by} may not order for customer {order.customer_id!r} at restaurant {order.restaurant_id!r}"
    unlock = "the customer themselves or an admin may"
    if by.role is Role.RESTAURANT and by.id == order.restaurant_id:
        unlock += f"; the order's restaurant may if ORDERFLOW_RESTAURANT_ORDERS is {rule.restaurants}"
    return NotPermitted(order_id=order.id, action="create", state=NEW, allowed=(), guard=guard, unlock=unlock)


def may_not_pay(order: OrderFields, by: Actor, restaurants: RestaurantOrders) -> CommandRefused:
    rule = CONSENT[paying(by_card=order.payment.by_card)]
    unlock = f"{_parties(rule.parties(restaurants))} may"
    if by.role is Role.RESTAURANT:
        unlock += f"; the order's restaurant may if ORDERFLOW_RESTAURANT_ORDERS is {rule.restaurants}"
    return _refuse(NotPermitted, order, "record_payment", f"{by} is not permitted", unlock)


def not_payable(order: OrderFields) -> CommandRefused:
    return _refuse(GuardFailed, order, "record_payment", "a cancelled order takes no payment", "place a new order")


def payment_settled(order: OrderFields, outcome: PaymentStatus) -> CommandRefused:
    guard = f"a payment that is {order.payment.status} cannot become {outcome}"
    return _refuse(GuardFailed, order, "record_payment", guard, "cancel the order to give a payment back")


def charged(order: OrderFields) -> CommandRefused:
    guard = "the card was charged, so a payment outside of the gateway would be a second one"
    return _refuse(GuardFailed, order, "record_payment", guard, "refund one of the two")


def may_not_refund(order: OrderFields, by: Actor) -> CommandRefused:
    unlock = "an admin may, and the order's restaurant a refund that the restaurant bears"
    return _refuse(NotPermitted, order, "refund", f"{by} is not permitted", unlock)


def not_refundable(order: OrderFields) -> CommandRefused:
    guard = f"the payment is {order.payment.status}, and nothing of it is left to refund"
    if order.payment.status is not PaymentStatus.PAID:
        guard = f"the payment is {order.payment.status}"
    return _refuse(GuardFailed, order, "refund", guard, "only what was paid can be refunded, once")


def no_declined_refund(order: OrderFields) -> CommandRefused:
    return _refuse(GuardFailed, order, "refund", "no refund of the order was declined", "request a refund")


def no_refund_requested(order: OrderFields) -> CommandRefused:
    return _refuse(GuardFailed, order, "refund", "no refund of that amount is asked for", "request a refund")


def no_refund_made(order: OrderFields) -> CommandRefused:
    return _refuse(GuardFailed, order, "refund", "no refund of that amount was made", "request a refund")


def _refuse(error: type[CommandRefused], order: OrderFields, action: str, guard: str, unlock: str) -> CommandRefused:
    return error(
        order_id=order.id,
        action=action,
        state=order.state,
        allowed=tuple(next_states(order.state)),
        guard=guard,
        unlock=unlock,
    )


def _parties(relations: Mapping[Role, Relation]) -> str:
    return " or ".join(
        f"an {role}" if relation is Relation.ANY else f"the order's {role}" for role, relation in relations.items()
    )
