"""Applies a plan to orders of the domain, without storage, clock or use-cases."""

from collections import defaultdict
from collections.abc import Mapping

from attrs import frozen
from orderflow.domain.events import OrderEvent
from orderflow.domain.order import Change, Order
from orderflow.domain.payment import PaymentMethod
from orderflow.entrypoints.simulation.clock import DEFAULT_DATE, time_at
from orderflow.entrypoints.simulation.day import Day
from orderflow.entrypoints.simulation.dispatch_plan import Step, StepAction, plan_day
from orderflow.entrypoints.simulation.placement import placement


@frozen
class Histories:
    """The orders at the end of the day, and the events of each in sequence."""

    orders: Mapping[str, Order]
    events: Mapping[str, list[OrderEvent]]


def order_histories(day: Day) -> Histories:
    """Apply the plan of ``day``, with the cards paid. Raises CommandRefused if an order refuses a step."""
    placements = {order.id: placement(day, order) for order in day.orders}
    cards = {order_id for order_id, new in placements.items() if new.payment_method is not PaymentMethod.CASH}
    orders: dict[str, Order] = {}
    events: dict[str, list[OrderEvent]] = defaultdict(list)
    for step in plan_day(day, cards=cards):
        at = time_at(DEFAULT_DATE, step.at)
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
    return Histories(orders, events)


def _change(order: Order, step: Step) -> Change:
    at = time_at(DEFAULT_DATE, step.at)
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
