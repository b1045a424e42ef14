"""``allowed_actions`` promises exactly what then succeeds and changes something, for every situation and actor."""

from collections.abc import Callable, Mapping

import pytest
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import CommandRefused
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.order import Change, Order
from orderflow.domain.permissions import Action
from orderflow.domain.refund import RefundBearer

from tests.unit.domain.actors import (
    ACTORS,
    ADMIN,
    CUSTOMER,
    OTHER_CUSTOMER,
    OTHER_SHIPPER,
    PAYMENTS,
    REASON,
    RESTAURANT,
    SHIPPER,
    SITUATIONS,
    order_in,
)
from tests.unit.domain.grid import later

EVERY_ORDER = [(situation, payment) for situation in SITUATIONS for payment in PAYMENTS]
SHIPPERS = ("S1", "S2", "S3")

WAYS: Mapping[str, Callable[[Order, Actor], list[Callable[[], Change]]]] = {
    "waiting_for_shipper": lambda o, by: [lambda: o.transition_to(OrderState.WAITING_FOR_SHIPPER, by=by, **later(o))],
    "preparing": lambda o, by: [lambda: o.prepare(by=by, **later(o))],
    "on_the_way": lambda o, by: [
        lambda s=s: o.send_out(by=by, shipper_id=s, **later(o))  # type: ignore[misc]
        for s in (None, *SHIPPERS)
    ],
    "delivered": lambda o, by: [lambda: o.deliver(by=by, **later(o))],
    "cancelled": lambda o, by: [lambda: o.cancel(REASON, by=by, **later(o))],
    "assign_shipper": lambda o, by: [
        lambda s=s: o.assign_shipper(s, by=by, **later(o))  # type: ignore[misc]
        for s in SHIPPERS
    ],
    "record_payment": lambda o, by: [lambda: o.record_payment(paid=True, by=by, **later(o))],
    "refund": lambda o, by: [
        lambda b=b: o.request_refund(None, REASON, borne_by=b, by=by, **later(o))  # type: ignore[misc]
        for b in RefundBearer
    ],
}
"""Every way to try each action that there is."""


def changes(attempt: Callable[[], Change]) -> bool:
    try:
        return bool(attempt().events)
    except CommandRefused:
        return False


def perform(order: Order, action: Action, actor: Actor) -> Change:
    """Return the action with exactly what it needs: a shipper itself, for others a shipper who is not assigned yet."""
    shipper_id = actor.id if actor.role is Role.SHIPPER else "S3"
    given = {
        "shipperId": {"shipper_id": shipper_id},
        "reason": {"reason": REASON},
        "borneBy": {"borne_by": RefundBearer.RESTAURANT},
    }
    values = {name: value for need in action.needs for name, value in given[need].items()}
    if action.name == "assign_shipper":
        return order.assign_shipper(by=actor, **values, **later(order))
    if action.name == "record_payment":
        return order.record_payment(paid=True, by=actor, **values, **later(order))
    if action.name == "refund":
        return order.request_refund(None, by=actor, **values, **later(order))
    return order.transition_to(OrderState(action.name), by=actor, **values, **later(order))


@pytest.mark.parametrize(("situation", "payment"), EVERY_ORDER)
def test_an_action_is_listed_exactly_when_some_way_to_do_it_changes_the_order(situation: str, payment: str) -> None:
    order = order_in(situation, payment)

    listed = {actor: sorted(action.name for action in order.allowed_actions(actor)) for actor in ACTORS}

    assert listed == {
        actor: sorted(name for name, ways in WAYS.items() if any(map(changes, ways(order, actor)))) for actor in ACTORS
    }


@pytest.mark.parametrize(("situation", "payment"), EVERY_ORDER)
def test_a_listed_action_succeeds_with_what_it_needs(situation: str, payment: str) -> None:
    order = order_in(situation, payment)

    done = {
        (actor, action.name): perform(order, action, actor)
        for actor in ACTORS
        for action in order.allowed_actions(actor)
    }

    assert [who_and_what for who_and_what, change in done.items() if not change.events] == []


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_move_that_lists_a_need_is_refused_without_it(situation: str) -> None:
    order = order_in(situation)
    needy = [
        (actor, OrderState(action.name))
        for actor in ACTORS
        for action in order.allowed_actions(actor)
        if action.needs and action.name not in ("assign_shipper", "refund")
    ]

    done = [
        (actor, to)
        for actor, to in needy
        if changes(lambda by=actor, to=to: order.transition_to(to, by=by, **later(order)))
    ]

    assert done == []


@pytest.mark.parametrize(
    ("situation", "actor", "expected"),
    [
        ("waiting", CUSTOMER, [Action("cancelled", ("reason",))]),
        (
            "waiting",
            RESTAURANT,
            [
                Action("preparing"),
                Action("cancelled", ("reason",)),
                Action("assign_shipper", ("shipperId",)),
                Action("record_payment"),
            ],
        ),
        ("waiting", OTHER_SHIPPER, [Action("assign_shipper", ("shipperId",))]),
        (
            "preparing",
            SHIPPER,
            [Action("on_the_way", ("shipperId",)), Action("assign_shipper", ("shipperId",))],
        ),
        ("preparing S1", SHIPPER, [Action("on_the_way"), Action("record_payment")]),
        ("preparing S1", OTHER_SHIPPER, []),
        ("on_the_way S1", SHIPPER, [Action("delivered"), Action("record_payment")]),
        ("on_the_way S1", CUSTOMER, []),
        ("on_the_way S1", ADMIN, [Action("delivered"), Action("cancelled", ("reason",)), Action("record_payment")]),
        ("delivered S1", ADMIN, [Action("refund", ("reason", "borneBy"))]),
        ("delivered S1", RESTAURANT, [Action("refund", ("reason", "borneBy"))]),
        ("delivered S1", CUSTOMER, []),
        ("cancelled at once", ADMIN, []),
        ("waiting", OTHER_CUSTOMER, []),
    ],
)
def test_the_list_for_a_cash_order_reads(situation: str, actor: Actor, expected: list[Action]) -> None:
    order = order_in(situation)

    listed = order.allowed_actions(actor)

    assert list(listed) == expected


SEES = {
    "waiting": {CUSTOMER, RESTAURANT, ADMIN},
    "preparing": {CUSTOMER, RESTAURANT, ADMIN},
    "preparing S1": {CUSTOMER, RESTAURANT, SHIPPER, ADMIN},
    "on_the_way S1": {CUSTOMER, RESTAURANT, SHIPPER, ADMIN},
    "delivered S1": {CUSTOMER, RESTAURANT, SHIPPER, ADMIN},
    "cancelled at once": {CUSTOMER, RESTAURANT, ADMIN},
    "cancelled on the way": {CUSTOMER, RESTAURANT, ADMIN},
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_an_order_is_visible_to_those_who_take_part_in_it(situation: str) -> None:
    order = order_in(situation)

    visible = {actor for actor in ACTORS if order.visible_to(actor)}

    assert visible == SEES[situation]
