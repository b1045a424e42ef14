"""An order is folded from its events alone; and no history passes that no order could have had."""

from datetime import timedelta
from decimal import Decimal

import pytest
from attrs import evolve
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
from orderflow.domain.history import OrderFacts, apply, facts_of, fold
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentMethod, PaymentStatus
from orderflow.domain.refund import Refunds, RefundStep

from tests.unit.domain.actors import AT, LIVES, REASON, SITUATIONS, Tale, eur, line, tale

Events = tuple[OrderEvent, ...]

LONG = tale("delivered S1", "card paid").events
CANCELLED = tale("cancelled on the way", "card paid").events
CASH = tale("delivered S1", "cash pending").events
LIFE = tale("cancelled on the way", "card paid").refund_answered("25.50")
REFUNDED = LIFE.events
LATER = LIFE.now
PART_REFUNDED = LIVES["a part refunded"].events


def renumbered(events: Events) -> Events:
    return tuple(evolve(event, sequence=number) for number, event in enumerate(events, 1))


def altered(events: Events, kind: type[OrderEvent], **values: object) -> Events:
    """The events with the last of that kind altered."""
    at = max(i for i, event in enumerate(events) if isinstance(event, kind))
    return (*events[:at], evolve(events[at], **values), *events[at + 1 :])


def payment_processed(life: Tale, status: PaymentStatus) -> OrderEvent:
    return PaymentProcessed(
        order_id="O1",
        customer_id="C1",
        sequence=life.order.version + 1,
        occurred_at=life.now,
        status=status,
        method=PaymentMethod.DEBIT_CARD,
        amount=eur("25.50"),
        success=status is not PaymentStatus.FAILED,
    )


def without(events: Events, *indexes: int) -> Events:
    return tuple(event for i, event in enumerate(events) if i not in indexes)


def accepted(events: Events) -> bool:
    try:
        fold(events)
    except CorruptHistory:
        return False
    return True


# what is folded


def test_the_fold_of_an_orders_events_are_the_orders_facts() -> None:
    assert {name: fold(life.events) for name, life in LIVES.items()} == {
        name: facts_of(life.order) for name, life in LIVES.items()
    }


def test_the_facts_grow_event_by_event_and_count_them() -> None:
    for name, life in LIVES.items():
        facts: OrderFacts | None = None
        for number, event in enumerate(life.events, 1):
            facts = apply(facts, event)
            assert (facts.version, facts.updated_at) == (number, event.occurred_at), name
        assert facts == facts_of(life.order), name


def test_the_facts_read_like_the_order() -> None:
    facts = fold(CANCELLED)

    assert (facts.order_id, facts.customer_id, facts.restaurant_id) == ("O1", "C1", "R1")
    assert (facts.lines, facts.total) == ((line(),), eur("25.50"))
    assert (facts.state, facts.shipper_id) == (OrderState.CANCELLED, None)
    assert (facts.cancel_reason, facts.cancelled_by) == (REASON, "A1")
    assert (facts.payment_status, facts.payment_method) == (PaymentStatus.PAID, PaymentMethod.DEBIT_CARD)
    assert facts.refunds == Refunds(requested=Decimal("25.50"))
    assert (facts.created_at, facts.version) == (AT, 8)


def test_a_reader_takes_events_without_a_customer() -> None:
    nameless = (LONG[0], *(evolve(event, customer_id="") for event in LONG[1:]))

    assert fold(nameless) == fold(LONG)


# what is refused


def test_no_events_are_no_history() -> None:
    with pytest.raises(CorruptHistory, match="no events") as refused:
        fold([])

    assert (refused.value.order_id, refused.value.sequence) == ("", 0)


def test_a_history_with_an_event_missing_is_refused() -> None:
    assert [
        (name, index)
        for name, life in LIVES.items()
        for index in range(len(life.events) - 1)
        if accepted(without(life.events, index))
    ] == []


def test_a_history_that_ends_inside_a_command_is_refused() -> None:
    for life in LIVES.values():
        for length in range(1, len(life.events)):
            begun = life.events[:length]
            inside = begun[-1].occurred_at == life.events[length].occurred_at
            if inside:
                with pytest.raises(CorruptHistory, match="the history ends where") as refused:
                    fold(begun)
                assert refused.value.sequence == length + 1
            else:
                assert fold(begun).version == length


def test_a_history_with_an_event_twice_is_refused() -> None:
    assert [
        (name, index)
        for name, life in LIVES.items()
        for index, event in enumerate(life.events)
        if accepted((*life.events[: index + 1], event, *life.events[index + 1 :]))
    ] == []


def test_a_history_with_two_events_exchanged_is_refused() -> None:
    def exchanged(events: Events, index: int) -> Events:
        one, two = events[index : index + 2]
        return (*events[:index], two, one, *events[index + 2 :])

    assert [
        (name, index)
        for name, life in LIVES.items()
        for index in range(len(life.events) - 1)
        if accepted(exchanged(life.events, index))
    ] == []


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        (LONG[1:], "a history begins with order.created as number 1"),
        (altered(LONG, OrderCreated, sequence=2), "a history begins with order.created as number 1"),
        (renumbered((LONG[0], *LONG)), "order.created cannot follow"),
        (altered(LONG, OrderCreated, total=eur("24.99")), "is 0 or below the lines'"),
        (altered(LONG, OrderCreated, total=eur("0"), lines=(line("0"),)), "is 0 or below the lines'"),
        (altered(LONG, OrderCreated, total=Money(eur("26").amount, "USD")), "no order has such a line"),
        (altered(LONG, OrderCreated, lines=(line(quantity=0),)), "no order has such a line"),
        (altered(LONG, OrderCreated, lines=()), "no order has such a line"),
        (altered(LONG, StateChanged, order_id="O2"), "it follows events of order 'O1'"),
        (altered(LONG, StateChanged, customer_id="C2"), "customer 'C2' is not the order's 'C1'"),
        (altered(LONG, StateChanged, sequence=99), "it follows number"),
        (altered(LONG, StateChanged, occurred_at=AT), "before number"),
        (
            altered(LONG, StateChanged, old=OrderState.PREPARING),
            "it starts from preparing, but the order is on_the_way",
        ),
        (altered(LONG, StateChanged, new=OrderState.PREPARING), "no transition from on_the_way to preparing"),
        (
            renumbered(without(LONG, 2, 3)),
            "no transition from waiting_for_shipper to on_the_way|it starts from preparing",
        ),
        (
            altered(tale("preparing S1").events, StateChanged, new=OrderState.CANCELLED),
            "assigning a shipper leads to preparing, not to cancelled",
        ),
        (altered(LONG, PaymentProcessed, amount=eur("25.49")), "25.49 EUR was processed"),
        (altered(LONG, PaymentProcessed, success=False), "paid with success False"),
        (altered(LONG, PaymentProcessed, status=PaymentStatus.REFUNDED), "pending became refunded"),
        (altered(LONG, PaymentProcessed, status=PaymentStatus.PENDING), "pending became pending"),
        (altered(CANCELLED, PaymentProcessed, method=PaymentMethod.CREDIT_CARD), "credit_card, but before by debit"),
        (altered(CANCELLED, PaymentProcessed, refund=None), "paid became paid"),
        (altered(CANCELLED, PaymentProcessed, status=PaymentStatus.REFUNDED), "became refunded, and should be paid"),
        (altered(CANCELLED, PaymentProcessed, success=True), "a refund that was requested with success True"),
        (altered(CANCELLED, PaymentProcessed, amount=eur("25.49")), "requests all that is left, not 25.49 EUR"),
        (altered(CANCELLED, PaymentProcessed, amount=eur("25.51")), "a refund of 25.51 EUR cannot be requested now"),
        (altered(CANCELLED, PaymentProcessed, refund=RefundStep.SUCCEEDED), "25.50 EUR cannot be succeeded now"),
        (altered(CANCELLED, PaymentProcessed, remainder=eur("1")), "it leaves 1 EUR, and should leave 25.50 EUR"),
        (
            altered(CANCELLED, PaymentProcessed, refund=RefundStep.HANDED_BACK, method=PaymentMethod.DEBIT_CARD),
            "a refund by debit_card was handed_back",
        ),
        (
            renumbered((*PART_REFUNDED, payment_processed(LIVES["a part refunded"], PaymentStatus.REFUNDED))),
            "a part of the payment was refunded before",
        ),
        (renumbered(without(CANCELLED, 6)), "order.payment_processed of the same time is due"),
        (altered(CANCELLED, OrderCancelled, shipper_id="S2"), "it names shipper S2, assigned was S1"),
        (altered(CANCELLED, OrderCancelled, shipper_id=None), "it names shipper None, assigned was S1"),
        (altered(CANCELLED, OrderCancelled, reason=" "), "it has no reason"),
        (altered(CANCELLED, OrderCancelled, occurred_at=AT + timedelta(days=1)), "of the same time is due"),
        (renumbered((*CANCELLED, CANCELLED[-1])), "order.cancelled while cancelled"),
        (
            renumbered((*REFUNDED, evolve(payment_processed(LIFE, PaymentStatus.PAID), occurred_at=LATER))),
            "refunded became paid",
        ),
        (
            renumbered((*REFUNDED, evolve(CANCELLED[6], occurred_at=LATER))),
            "a refund was requested while the payment was refunded",
        ),
        (altered(LONG, OrderDelivered, shipper_id="S2"), "delivered by S2, assigned was S1"),
        (altered(LONG, OrderDelivered, minutes=0), "it has 0 minutes, but the delivery took"),
        (renumbered((*LONG, LONG[-1])), "order.delivered while delivered"),
        (altered(CASH, PaymentProcessed, method=PaymentMethod.CREDIT_CARD), "paid by the delivery itself"),
        (altered(CASH, PaymentProcessed, status=PaymentStatus.FAILED, success=False), "paid by the delivery itself"),
        (
            renumbered((*without(CASH, 5), evolve(CASH[5], occurred_at=AT + timedelta(days=1)))),
            "paid by the delivery itself",
        ),
    ],
)
def test_a_damaged_history_says_what_is_wrong(damaged: Events, problem: str) -> None:
    with pytest.raises(CorruptHistory, match=problem) as refused:
        fold(damaged)

    assert refused.value.order_id in ("O1", "O2")


def test_the_sequence_of_the_damage_is_named() -> None:
    with pytest.raises(CorruptHistory) as refused:
        fold(altered(CANCELLED, OrderCancelled, shipper_id="S2"))

    assert (refused.value.order_id, refused.value.sequence) == ("O1", 8)


def shipper_assigned(life: Tale, shipper_id: str) -> OrderEvent:
    return ShipperAssigned(
        order_id="O1",
        customer_id="C1",
        sequence=life.order.version + 1,
        occurred_at=life.now,
        shipper_id=shipper_id,
        by="A1",
    )


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s not in ("waiting", "preparing", "preparing S1")])
def test_no_shipper_is_assigned_after_the_food_has_left(situation: str) -> None:
    life = tale(situation)

    with pytest.raises(CorruptHistory, match="a shipper was assigned while"):
        fold((*life.events, shipper_assigned(life, "S9")))


def test_a_shipper_is_not_assigned_twice() -> None:
    life = tale("preparing S1")

    with pytest.raises(CorruptHistory, match="'S1' is assigned already"):
        fold((*life.events, shipper_assigned(life, "S1")))


@pytest.mark.parametrize("status", [PaymentStatus.PAID, PaymentStatus.FAILED])
@pytest.mark.parametrize("situation", ["cancelled at once", "cancelled on the way"])
def test_no_payment_follows_a_cancellation(situation: str, status: PaymentStatus) -> None:
    life = tale(situation, "card failed")

    with pytest.raises(CorruptHistory, match="while cancelled"):
        fold((*life.events, evolve(payment_processed(life, status), method=PaymentMethod.CREDIT_CARD)))


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if not s.startswith("cancelled")])
def test_nothing_is_refunded_without_a_cancellation(situation: str) -> None:
    life = tale(situation, "card paid")

    with pytest.raises(CorruptHistory, match="refunded while"):
        fold((*life.events, payment_processed(life, PaymentStatus.REFUNDED)))
