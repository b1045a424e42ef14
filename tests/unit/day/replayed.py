"""A plan lived by orders of the pure domain: no store, no clock, no use-case."""

from collections import defaultdict
from collections.abc import Mapping

from attrs import frozen
from orderflow.application.day.clock import DAY_DATE, moment
from orderflow.application.day.day import Day
from orderflow.application.day.placement import placement
from orderflow.application.day.plan import Step, StepAction, plan_day
from orderflow.domain.events import OrderEvent
from orderflow.domain.order import Change, Order
from orderflow.domain.payment import PaymentMethod


@frozen
class Replay:
    """What the orders are in the end, and the events of each in the order in which they happened."""

    orders: Mapping[str, Order]
    events: Mapping[str, list[OrderEvent]]


def replay(day: Day) -> Replay:
    """``day`` lived to its end, cards paid. Raises CommandRefused where the plan asks for what an order refuses."""
    placements = {order.id: placement(day, order) for order in day.orders}
    cards = {order_id for order_id, new in placements.items() if new.payment_method is not PaymentMethod.CASH}
    orders: dict[str, Order] = {}
    events: dict[str, list[OrderEvent]] = defaultdict(list)
    for step in plan_day(day, cards=cards):
        at = moment(DAY_DATE, step.at)
        if step.action is StepAction.PLACE:
            new = placements[step.order_id]
            change = Order.place(
                id=new.order_id,
                customer_id=new.customer_id,
                restaurant_id=new.restaurant_id,
                lines=new.lines,
                payment_method=new.payment_method,
                card_token=new.card_token,
                total=new.total,
                currency=new.currency,
                address=new.address,
                at=at,
            )
            assert change.order.visible_to(step.actor)
        else:
            change = _change(orders[step.order_id], step)
        assert change.events, f"{step} changed nothing"
        orders[step.order_id] = change.order
        events[step.order_id] += change.events
    return Replay(orders, events)


def _change(order: Order, step: Step) -> Change:
    at = moment(DAY_DATE, step.at)
    match step.action:
        case StepAction.PAY:
            return order.record_payment(paid=True, by=step.actor, at=at)
        case StepAction.PREPARE:
            return order.prepare(by=step.actor, at=at)
        case StepAction.ASSIGN:
            return order.assign_shipper(step.shipper_id, by=step.actor, at=at)
        case StepAction.SEND_OUT:
            return order.send_out(by=step.actor, at=at)
        case StepAction.DELIVER:
            return order.deliver(by=step.actor, at=at)
        case StepAction.CANCEL:
            return order.cancel(step.reason, by=step.actor, at=at)
        case StepAction.PLACE:
            raise AssertionError("an order is placed once")
