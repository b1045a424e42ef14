"""Every state, every target, every actor: the design's table, written out cell by cell and not read off the code."""

from datetime import timedelta

import pytest
from orderflow.domain.errors import GuardFailed, IllegalTransition
from orderflow.domain.events import ShipperAssigned, StateChanged
from orderflow.domain.lifecycle import TRANSITIONS, OrderState, next_states
from orderflow.domain.order import Order

from tests.unit.domain.actors import ADMIN, CUSTOMER, NEXT, REASON, RESTAURANT, SHIPPER, SITUATIONS, order_in, tale
from tests.unit.domain.grid import check, each_row, later, rows

MOVES = """
                                              C1 C2 R1 R2 S1 S2 A1
waiting              | waiting_for_shipper  | =  -  =  -  -  -  =
waiting              | preparing            | -  -  +  -  -  -  +
waiting              | on_the_way           | x  x  x  x  x  x  x
waiting              | delivered            | x  x  x  x  x  x  x
waiting              | cancelled            | +  -  +  -  -  -  +
preparing            | waiting_for_shipper  | x  x  x  x  x  x  x
preparing            | preparing            | -  -  =  -  -  -  =
preparing            | on_the_way           | -  -  -  -  s  s  s
preparing            | delivered            | x  x  x  x  x  x  x
preparing            | cancelled            | +  -  +  -  -  -  +
preparing S1         | waiting_for_shipper  | x  x  x  x  x  x  x
preparing S1         | preparing            | -  -  =  -  -  -  =
preparing S1         | on_the_way           | -  -  -  -  +  -  +
preparing S1         | delivered            | x  x  x  x  x  x  x
preparing S1         | cancelled            | +  -  +  -  -  -  +
on_the_way S1        | waiting_for_shipper  | x  x  x  x  x  x  x
on_the_way S1        | preparing            | x  x  x  x  x  x  x
on_the_way S1        | on_the_way           | -  -  -  -  =  -  =
on_the_way S1        | delivered            | -  -  -  -  +  -  +
on_the_way S1        | cancelled            | -  -  +  -  -  -  +
delivered S1         | waiting_for_shipper  | x  x  x  x  x  x  x
delivered S1         | preparing            | x  x  x  x  x  x  x
delivered S1         | on_the_way           | x  x  x  x  x  x  x
delivered S1         | delivered            | -  -  -  -  =  -  =
delivered S1         | cancelled            | x  x  x  x  x  x  x
cancelled at once    | waiting_for_shipper  | x  x  x  x  x  x  x
cancelled at once    | preparing            | x  x  x  x  x  x  x
cancelled at once    | on_the_way           | x  x  x  x  x  x  x
cancelled at once    | delivered            | x  x  x  x  x  x  x
cancelled at once    | cancelled            | =  -  =  -  -  -  =
cancelled on the way | waiting_for_shipper  | x  x  x  x  x  x  x
cancelled on the way | preparing            | x  x  x  x  x  x  x
cancelled on the way | on_the_way           | x  x  x  x  x  x  x
cancelled on the way | delivered            | x  x  x  x  x  x  x
cancelled on the way | cancelled            | =  -  =  -  -  -  =
"""

WITH_SHIPPER = """
                                    C1 C2 R1 R2 S1 S2 A1
waiting              | preparing  | S1 | -  -  +  -  +  -  +
waiting              | preparing  | S2 | -  -  +  -  -  +  +
waiting              | on_the_way | S1 | x  x  x  x  x  x  x
waiting              | on_the_way | S2 | x  x  x  x  x  x  x
waiting              | delivered  | S1 | x  x  x  x  x  x  x
preparing            | preparing  | S1 | -  -  +  -  +  -  +
preparing            | preparing  | S2 | -  -  +  -  -  +  +
preparing            | on_the_way | S1 | -  -  -  -  +  -  +
preparing            | on_the_way | S2 | -  -  -  -  -  +  +
preparing            | delivered  | S1 | x  x  x  x  x  x  x
preparing S1         | preparing  | S1 | -  -  =  -  =  -  =
preparing S1         | preparing  | S2 | -  -  +  -  -  -  +
preparing S1         | on_the_way | S1 | -  -  -  -  +  -  +
preparing S1         | on_the_way | S2 | -  -  -  -  -  -  +
preparing S1         | delivered  | S1 | x  x  x  x  x  x  x
on_the_way S1        | preparing  | S1 | x  x  x  x  x  x  x
on_the_way S1        | on_the_way | S1 | -  -  -  -  =  -  =
on_the_way S1        | on_the_way | S2 | x  x  x  x  x  x  x
on_the_way S1        | delivered  | S1 | -  -  -  -  +  -  +
on_the_way S1        | delivered  | S2 | -  -  -  -  i  -  i
on_the_way S1        | cancelled  | S2 | -  -  +  -  -  -  +
delivered S1         | preparing  | S1 | x  x  x  x  x  x  x
delivered S1         | on_the_way | S1 | x  x  x  x  x  x  x
delivered S1         | delivered  | S1 | -  -  -  -  =  -  =
delivered S1         | delivered  | S2 | -  -  -  -  i  -  i
cancelled at once    | preparing  | S1 | x  x  x  x  x  x  x
cancelled at once    | on_the_way | S1 | x  x  x  x  x  x  x
cancelled at once    | delivered  | S1 | x  x  x  x  x  x  x
cancelled on the way | preparing  | S1 | x  x  x  x  x  x  x
cancelled on the way | on_the_way | S1 | x  x  x  x  x  x  x
cancelled on the way | delivered  | S1 | x  x  x  x  x  x  x
cancelled on the way | cancelled  | S1 | =  -  =  -  -  -  =
"""

CANCEL_WITHOUT_REASON = """
                       C1 C2 R1 R2 S1 S2 A1
waiting              | r  -  r  -  -  -  r
preparing            | r  -  r  -  -  -  r
preparing S1         | r  -  r  -  -  -  r
on_the_way S1        | -  -  r  -  -  -  r
delivered S1         | x  x  x  x  x  x  x
cancelled at once    | x  x  x  x  x  x  x
cancelled on the way | x  x  x  x  x  x  x
"""

ASSIGNMENTS = """
                            C1 C2 R1 R2 S1 S2 A1
waiting              | S1 | -  -  +  -  +  -  +
waiting              | S2 | -  -  +  -  -  +  +
preparing            | S1 | -  -  +  -  +  -  +
preparing            | S2 | -  -  +  -  -  +  +
preparing S1         | S1 | -  -  =  -  =  -  =
preparing S1         | S2 | -  -  +  -  -  -  +
on_the_way S1        | S1 | -  -  =  -  =  -  =
on_the_way S1        | S2 | -  -  g  -  -  -  g
delivered S1         | S1 | -  -  =  -  =  -  =
delivered S1         | S2 | -  -  g  -  -  -  g
cancelled at once    | S1 | -  -  g  -  g  -  g
cancelled at once    | S2 | -  -  g  -  -  g  g
cancelled on the way | S1 | -  -  g  -  g  -  g
cancelled on the way | S2 | -  -  g  -  -  g  g
"""

NAMED = {
    "preparing": Order.prepare,
    "on_the_way": Order.send_out,
    "delivered": Order.deliver,
    "cancelled": lambda order, **how: order.cancel(REASON, **how),
}


def test_the_page_asks_every_situation_for_every_state() -> None:
    every = [(situation, str(state)) for situation in SITUATIONS for state in OrderState]

    asked = [(situation, target) for situation, target, _ in rows(MOVES)]

    assert sorted(asked) == sorted(every)


@pytest.mark.parametrize("state", OrderState)
def test_the_code_knows_no_arrow_that_the_design_does_not_have(state: OrderState) -> None:
    assert next_states(state) == NEXT[state]
    assert state.terminal is (not NEXT[state])


def test_no_arrow_stands_in_the_table_twice() -> None:
    arrows = [(t.source, t.target) for t in TRANSITIONS]

    assert len(arrows) == len(set(arrows))


@pytest.mark.parametrize(("situation", "target", "signs"), each_row(MOVES))
def test_a_move_follows_the_table(situation: str, target: str, signs: str) -> None:
    order, to = order_in(situation), OrderState(target)

    done = check(order, signs, target, lambda by: order.transition_to(to, by=by, reason=REASON, **later(order)))

    assert all(change.order.state is to for change in done)
    assert all(StateChanged.type in [event.type for event in change.events] for change in done if change.events)


@pytest.mark.parametrize(("situation", "target", "signs"), [row for row in each_row(MOVES) if row.values[1] in NAMED])
def test_the_named_behaviour_answers_like_the_move(situation: str, target: str, signs: str) -> None:
    order = order_in(situation)

    check(order, signs, target, lambda by: NAMED[target](order, by=by, **later(order)))


@pytest.mark.parametrize(("situation", "target", "shipper_id", "signs"), each_row(WITH_SHIPPER))
def test_a_move_that_names_a_shipper_follows_the_table(
    situation: str, target: str, shipper_id: str, signs: str
) -> None:
    order, to = order_in(situation), OrderState(target)

    done = check(
        order,
        signs,
        target,
        lambda by: order.transition_to(to, by=by, shipper_id=shipper_id, reason=REASON, **later(order)),
    )

    if to is not OrderState.CANCELLED:
        assert all((change.order.state, change.order.shipper_id) == (to, shipper_id) for change in done)


@pytest.mark.parametrize("reason", [None, "", "  \t "], ids=["none", "empty", "blank"])
@pytest.mark.parametrize(("situation", "signs"), each_row(CANCEL_WITHOUT_REASON))
def test_a_cancellation_needs_a_reason(situation: str, signs: str, reason: str | None) -> None:
    order = order_in(situation)

    check(
        order,
        signs,
        "cancelled",
        lambda by: order.transition_to(OrderState.CANCELLED, by=by, reason=reason, **later(order)),
    )


@pytest.mark.parametrize("situation", ["cancelled at once", "cancelled on the way"])
def test_cancelling_again_for_another_reason_is_refused(situation: str) -> None:
    order = order_in(situation)

    with pytest.raises(IllegalTransition) as refused:
        order.cancel("out_of_stock", by=ADMIN, **later(order))

    assert "for another reason" in refused.value.guard
    assert refused.value.unlock == "this state is final"


@pytest.mark.parametrize(("situation", "shipper_id", "signs"), each_row(ASSIGNMENTS))
def test_an_assignment_follows_the_table(situation: str, shipper_id: str, signs: str) -> None:
    order = order_in(situation)

    done = check(order, signs, "assign_shipper", lambda by: order.assign_shipper(shipper_id, by=by, **later(order)))

    changed = [change.order for change in done if change.events]
    assert all((after.state, after.shipper_id) == (OrderState.PREPARING, shipper_id) for after in changed)


def test_a_refused_command_leaves_the_order_as_it_was() -> None:
    order = order_in("preparing")

    with pytest.raises(GuardFailed):
        order.send_out(by=ADMIN, **later(order))

    assert order == order_in("preparing")


def test_the_refusal_reads_as_a_sentence_that_helps() -> None:
    order = order_in("preparing")

    with pytest.raises(GuardFailed) as refused:
        order.send_out(by=SHIPPER, **later(order))

    assert str(refused.value) == (
        "order 'O1' in state preparing refuses on_the_way: no shipper is assigned; "
        "assign a shipper first, or give a shipper in the same request; next states from preparing: "
        "on_the_way, cancelled"
    )


def test_replacing_the_shipper_is_one_event_and_no_step() -> None:
    order = order_in("preparing S1")

    change = order.assign_shipper("S2", by=RESTAURANT, **later(order))

    assert [type(event) for event in change.events] == [ShipperAssigned]
    assert change.order.shipper_id == "S2"


def test_going_on_the_way_sets_the_estimate_by_the_given_minutes() -> None:
    story = tale("preparing S1")

    default = story.order.send_out(by=SHIPPER, at=story.now).order
    chosen = story.order.send_out(by=SHIPPER, at=story.now, estimate=timedelta(minutes=12)).order

    assert default.estimated_at == story.now + timedelta(minutes=30)
    assert chosen.estimated_at == story.now + timedelta(minutes=12)


def test_the_customer_may_cancel_until_the_order_is_on_the_way() -> None:
    order = order_in("preparing S1")

    cancelled = order.cancel(REASON, by=CUSTOMER, **later(order)).order

    assert (cancelled.state, cancelled.cancel_reason, cancelled.cancelled_by) == (
        OrderState.CANCELLED,
        REASON,
        "C1",
    )
