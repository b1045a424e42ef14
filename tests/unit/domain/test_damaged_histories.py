"""Random damage to histories, judged by the order itself: it is given the commands that the events come from."""

from datetime import timedelta

from attrs import evolve
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from orderflow.domain.errors import CorruptHistory
from orderflow.domain.events import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    PaymentProcessed,
    ShipperAssigned,
    StateChanged,
)
from orderflow.domain.history import fold
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.order import Change, Order
from orderflow.domain.payment import PaymentMethod, PaymentStatus
from orderflow.domain.refund import RefundBearer, RefundStep

from tests.unit.domain.actors import ADMIN, AT, LIVES, REASON, eur, line, place

Events = tuple[OrderEvent, ...]


def renumbered(events: Events) -> Events:
    return tuple(evolve(event, sequence=number) for number, event in enumerate(events, 1))


def replayed_commands(events: Events) -> Events:
    """Return the events of an order that is given the commands that ``events`` seem to come from."""
    created = events[0]
    assert isinstance(created, OrderCreated)
    order, lived = _placed_again(created, events)
    while len(lived) < len(events):
        change = _command(order, events, len(lived))
        assert change.events, f"{events[len(lived)]} changes nothing"
        order, lived = change.order, lived + change.events
    return lived


def _placed_again(created: OrderCreated, events: Events) -> tuple[Order, Events]:
    methods = [event.method for event in events if isinstance(event, PaymentProcessed)]
    delivered = any(isinstance(event, OrderDelivered) for event in events)
    method = methods[0] if methods else PaymentMethod.DEBIT_CARD if delivered else PaymentMethod.CASH
    change = place(
        method,
        id=created.order_id,
        customer_id=created.customer_id or "C1",
        restaurant_id=created.restaurant_id,
        lines=created.lines,
        total=created.total,
        at=created.occurred_at,
    )
    return change.order, change.events


def _command(order: Order, events: Events, index: int) -> Change:
    event = events[index]
    how = {"by": ADMIN, "at": event.occurred_at}
    match event:
        case ShipperAssigned(shipper_id=shipper_id):
            return order.assign_shipper(shipper_id, **how)
        case StateChanged(new=OrderState.CANCELLED):
            reason = next((e.reason for e in events[index:] if isinstance(e, OrderCancelled)), "")
            return order.cancel(reason, **how)
        case StateChanged(new=new):
            return order.transition_to(new, **how)
        case PaymentProcessed(refund=RefundStep.REQUESTED | RefundStep.HANDED_BACK, amount=amount):
            return order.request_refund(amount, REASON, borne_by=RefundBearer.PLATFORM, **how)
        case PaymentProcessed(refund=RefundStep.SUCCEEDED | RefundStep.DECLINED as step, amount=amount):
            return order.answer_refund(amount, made=step is RefundStep.SUCCEEDED, at=event.occurred_at)
        case PaymentProcessed(refund=RefundStep.FAILED, amount=amount):
            return order.fail_refund(amount, at=event.occurred_at)
        case PaymentProcessed(refund=RefundStep.REPEATED):
            return order.repeat_refunds(**how)
        case PaymentProcessed(refund=RefundStep.SETTLED):
            return order.settle_refunds(**how)
        case PaymentProcessed(status=status):
            return order.record_payment(paid=status is PaymentStatus.PAID, **how)
    raise AssertionError(f"no command begins with {event.type}")


def anonymous(events: Events) -> Events:
    """Without who did it, and why: the fold does not judge who may, nor the reason of a refund."""
    return tuple(
        evolve(event, customer_id="C1", by="?", reason=None, borne_by=None, remainder=None)
        if isinstance(event, PaymentProcessed)
        else evolve(event, customer_id="C1", **({"by": "?"} if hasattr(event, "by") else {}))
        for event in events
    )


def of_an_earlier_release(events: Events) -> bool:
    """Return whether a refund of a card is recorded as made when it was requested, as no order does it now."""
    return any(
        isinstance(event, PaymentProcessed)
        and event.status is PaymentStatus.REFUNDED
        and event.refund is None
        and event.method is not PaymentMethod.CASH
        for event in events
    )


VALUES: dict[str, st.SearchStrategy[object]] = {
    "order_id": st.sampled_from(["O1", "O2"]),
    "customer_id": st.sampled_from(["C1", "C2", ""]),
    "sequence": st.integers(0, 9),
    "occurred_at": st.integers(0, 9).map(lambda minutes: AT + timedelta(minutes=minutes)),
    "restaurant_id": st.sampled_from(["R1", "R2"]),
    "total": st.sampled_from(["0", "24.99", "25", "25.5", "26"]).map(eur),
    "amount": st.sampled_from(["0", "25", "25.5", "26"]).map(eur),
    "lines": st.sampled_from([(), (line(),), (line(), line()), (line("1"),), (line("-1"),)]),
    "shipper_id": st.sampled_from(["S1", "S2", None]),
    "by": st.sampled_from(["A1", "R1"]),
    "old": st.sampled_from(OrderState),
    "new": st.sampled_from(OrderState),
    "status": st.sampled_from(PaymentStatus),
    "method": st.sampled_from(PaymentMethod),
    "success": st.booleans(),
    "reason": st.sampled_from([REASON, "out_of_stock", ""]),
    "minutes": st.integers(0, 9),
    "refund": st.sampled_from([None, *RefundStep]),
    "remainder": st.sampled_from(["0", "20", "25.5"]).map(eur),
    "borne_by": st.sampled_from([None, *RefundBearer]),
}


@st.composite
def damaged(draw: st.DrawFn) -> Events:
    """The events of a life with one to three damages, numbered densely again more often than not."""
    events = list(draw(st.sampled_from(list(LIVES.values()))).events)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(events) - 1))
        match draw(st.sampled_from(["drop", "twice", "swap", "alter", "alter", "graft"])):
            case "drop" if len(events) > 1:
                del events[at]
            case "twice":
                events.insert(at, events[at])
            case "swap":
                other = draw(st.integers(0, len(events) - 1))
                events[at], events[other] = events[other], events[at]
            case "graft":
                foreign = draw(st.sampled_from(list(LIVES.values()))).events
                events.insert(at, draw(st.sampled_from(foreign)))
            case _:
                field = draw(st.sampled_from([a.name for a in type(events[at]).__attrs_attrs__]))  # type: ignore[attr-defined]
                value = draw(VALUES[field])
                if not (field == "shipper_id" and value is None and not isinstance(events[at], OrderCancelled)):
                    events[at] = evolve(events[at], **{field: value})
    return renumbered(tuple(events)) if draw(st.integers(0, 3)) else tuple(events)


@settings(max_examples=300)
@given(damaged())
def test_a_damaged_history_passes_only_if_an_order_could_have_had_it(events: Events) -> None:
    try:
        fold(events)
    except CorruptHistory:
        note("refused")
        return
    if of_an_earlier_release(events):
        note("as earlier releases recorded it")
        return
    note("legal all the same")

    assert anonymous(replayed_commands(events)) == anonymous(events)
