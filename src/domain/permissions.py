"""The permissions of actors on an order: what each may do in the order's current state."""

from typing import Protocol

from attrs import frozen

from .actor import Actor, Role
from .consent import CONSENT, RestaurantOrders, paying, placing
from .lifecycle import ASSIGNABLE, ASSIGNERS, MAX_EVENTS, TRANSITIONS, Guard, OrderState, Relation
from .money import Money
from .payment import PAYMENT_TRANSITIONS, Payment, PaymentStatus
from .refund import RefundBearer


class OrderFields(Protocol):
    """The fields of an order that permissions and refusals read."""

    @property
    def id(self) -> str: ...

    @property
    def customer_id(self) -> str: ...

    @property
    def restaurant_id(self) -> str: ...

    @property
    def shipper_id(self) -> str | None: ...

    @property
    def state(self) -> OrderState: ...

    @property
    def payment(self) -> Payment: ...

    @property
    def version(self) -> int: ...

    @property
    def refundable(self) -> Money: ...


@frozen
class Action:
    """An action that an actor may take now; ``needs`` are the values that the actor must send with it."""

    name: str
    needs: tuple[str, ...] = ()


def is_related(order: OrderFields, actor: Actor, relation: Relation, shipper_id: str | None = None) -> bool:
    """Return whether ``actor`` has this ``relation`` to ``order``; ``shipper_id`` is a shipper about to be assigned."""
    if relation is Relation.ANY or actor.role is Role.ADMIN:
        return True
    own = {
        Role.CUSTOMER: order.customer_id,
        Role.RESTAURANT: order.restaurant_id,
        Role.SHIPPER: shipper_id or order.shipper_id,
    }
    return actor.id == own[actor.role]


def is_full(order: OrderFields) -> bool:
    """Return whether ``order`` has so many events that nothing may be repeated."""
    return order.version >= MAX_EVENTS


def may_claim(order: OrderFields, actor: Actor) -> bool:
    """Return whether ``actor`` is a shipper who may take this order for itself: one that still waits for a shipper."""
    return actor.role is Role.SHIPPER and order.shipper_id is None and order.state in ASSIGNABLE


def may_place(order: OrderFields, actor: Actor, restaurants: RestaurantOrders) -> bool:
    """Return whether ``actor`` may place this order, by the rules of consent."""
    relation = CONSENT[placing(by_card=order.payment.by_card)].parties(restaurants).get(actor.role)
    return relation is not None and is_related(order, actor, relation)


def may_pay(order: OrderFields, actor: Actor, restaurants: RestaurantOrders) -> bool:
    """Return whether ``actor`` may have the card charged, or record cash, by the rules of consent."""
    relation = CONSENT[paying(by_card=order.payment.by_card)].parties(restaurants).get(actor.role)
    return relation is not None and is_related(order, actor, relation)


def may_refund(order: OrderFields, actor: Actor, borne_by: RefundBearer) -> bool:
    """Return whether ``actor`` may ask for a refund: an admin, or the order's restaurant for one that it bears."""
    own = actor.role is Role.RESTAURANT and is_related(order, actor, Relation.OWN)
    return actor.role is Role.ADMIN or (own and borne_by is RefundBearer.RESTAURANT)


def may_have_moved(order: OrderFields, actor: Actor, target: OrderState) -> bool:
    """Return whether ``actor`` is allowed to bring this order to ``target``, by the table or by placing it."""
    allowed = [t.by for t in TRANSITIONS if t.target is target]
    if target is OrderState.WAITING_FOR_SHIPPER:
        allowed.append(CONSENT[placing(by_card=order.payment.by_card)].by)
    return any(is_related(order, actor, by[actor.role]) for by in allowed if actor.role in by)


def allowed_actions(order: OrderFields, actor: Actor, restaurants: RestaurantOrders) -> tuple[Action, ...]:
    """Return the actions that ``actor`` may take on ``order`` now, each with the values that it needs."""
    actions = []
    for t in TRANSITIONS:
        relation = t.by.get(actor.role)
        if t.source is not order.state or relation is None:
            continue
        lacks_shipper = t.guard is Guard.SHIPPER and order.shipper_id is None
        claims_it = lacks_shipper and actor.role is Role.SHIPPER
        if claims_it or is_related(order, actor, relation):
            needs = ("reason",) if t.guard is Guard.REASON else ("shipperId",) if lacks_shipper else ()
            actions.append(Action(t.target, needs))
    relation = ASSIGNERS.get(actor.role)
    if actor.role is Role.SHIPPER:
        may_assign = may_claim(order, actor)
    else:
        assignable = order.state in ASSIGNABLE and not (order.shipper_id and is_full(order))
        may_assign = assignable and relation is not None and is_related(order, actor, relation)
    if may_assign:
        actions.append(Action("assign_shipper", ("shipperId",)))
    payable = PaymentStatus.PAID in PAYMENT_TRANSITIONS[order.payment.status]
    if payable and order.state is not OrderState.CANCELLED and may_pay(order, actor, restaurants):
        actions.append(Action("record_payment"))
    if order.refundable.amount and any(may_refund(order, actor, bearer) for bearer in RefundBearer):
        actions.append(Action("refund", ("reason", "borneBy")))
    return tuple(actions)
