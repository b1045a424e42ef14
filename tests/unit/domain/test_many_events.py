"""The history of an order has an end, whatever its parties repeat, and so has the order."""

import pytest
from attrs import evolve
from orderflow.domain.errors import GuardFailed
from orderflow.domain.lifecycle import MAX_EVENTS, OrderState
from orderflow.domain.refund import RefundBearer

from tests.unit.domain.actors import ADMIN, AT, CUSTOMER, REASON, RESTAURANT, SHIPPER, eur, order_in


def test_after_many_events_nothing_that_can_be_repeated_without_end_adds_another() -> None:
    full = {"version": MAX_EVENTS}
    assigned = evolve(order_in("preparing S1", "cash pending"), **full)
    failed = evolve(order_in("preparing S1", "card failed"), **full)
    paid = evolve(order_in("delivered S1", "card paid"), **full)

    with pytest.raises(GuardFailed, match="1000 events"):
        assigned.assign_shipper("S2", by=RESTAURANT, at=AT)
    with pytest.raises(GuardFailed, match="1000 events"):
        failed.check_may_charge()
    with pytest.raises(GuardFailed, match="1000 events"):
        paid.request_refund(eur("1"), "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN, at=AT)
    assert not failed.record_payment(paid=False, by=ADMIN, at=AT).events
    assert "assign_shipper" not in {action.name for action in assigned.allowed_actions(RESTAURANT)}


def test_an_order_with_many_events_still_comes_to_its_end() -> None:
    full = {"version": MAX_EVENTS}
    unassigned = evolve(order_in("preparing", "card failed"), **full)

    order = unassigned.assign_shipper("S1", by=RESTAURANT, at=AT).order
    order = order.record_payment(paid=True, by=ADMIN, at=AT).order
    order = order.send_out(by=SHIPPER, at=AT).order.deliver(by=SHIPPER, at=AT).order
    refunded = order.request_refund(None, "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN, at=AT)

    assert (order.state, order.version) == (OrderState.DELIVERED, MAX_EVENTS + 5)
    assert refunded.events
    assert evolve(order_in("waiting", "cash pending"), **full).cancel(REASON, by=CUSTOMER, at=AT).events
