"""The events of each command, with their order, ids, times and numbers."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from orderflow.domain.errors import InvalidInput
from orderflow.domain.events import EVENT_NAMESPACE, EVENT_TYPES, OrderCancelled, OrderDelivered, OrderEvent, event_id
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod

from tests.unit.domain.actors import ADMIN, AT, CUSTOMER, REASON, RESTAURANT, SHIPPER, Tale, order_in, place, tale
from tests.unit.domain.grid import later

HANOI = timezone(timedelta(hours=7))


def types(events: tuple[OrderEvent, ...]) -> list[str]:
    return [event.type.removeprefix("order.") for event in events]


def test_the_six_types_are_those_of_the_wire() -> None:
    assert {kind.type for kind in EVENT_TYPES} == {
        "order.created",
        "order.state_changed",
        "order.payment_processed",
        "order.shipper_assigned",
        "order.cancelled",
        "order.delivered",
    }


@pytest.mark.parametrize(
    ("situation", "payment", "command", "expected"),
    [
        ("waiting", "cash pending", lambda o, how: o.prepare(by=ADMIN, **how), ["state_changed"]),
        (
            "waiting",
            "cash pending",
            lambda o, how: o.assign_shipper("S1", by=ADMIN, **how),
            ["shipper_assigned", "state_changed"],
        ),
        ("preparing", "cash pending", lambda o, how: o.assign_shipper("S1", by=ADMIN, **how), ["shipper_assigned"]),
        (
            "preparing",
            "cash pending",
            lambda o, how: o.send_out(by=ADMIN, shipper_id="S1", **how),
            ["shipper_assigned", "state_changed"],
        ),
        ("preparing S1", "cash pending", lambda o, how: o.send_out(by=ADMIN, **how), ["state_changed"]),
        (
            "preparing S1",
            "card pending",
            lambda o, how: o.record_payment(paid=True, by=ADMIN, **how),
            ["payment_processed"],
        ),
        ("on_the_way S1", "card paid", lambda o, how: o.deliver(by=ADMIN, **how), ["state_changed", "delivered"]),
        (
            "on_the_way S1",
            "cash pending",
            lambda o, how: o.deliver(by=ADMIN, **how),
            ["state_changed", "payment_processed", "delivered"],
        ),
        (
            "on_the_way S1",
            "card pending",
            lambda o, how: o.cancel(REASON, by=ADMIN, **how),
            ["state_changed", "cancelled"],
        ),
        (
            "on_the_way S1",
            "card paid",
            lambda o, how: o.cancel(REASON, by=ADMIN, **how),
            ["state_changed", "payment_processed", "cancelled"],
        ),
    ],
)
def test_one_command_yields_its_events_in_the_fixed_order(situation, payment, command, expected) -> None:  # type: ignore[no-untyped-def]
    order = order_in(situation, payment)

    change = command(order, later(order))

    assert types(change.events) == expected
    assert [event.sequence for event in change.events] == [
        order.version + number for number in range(1, len(expected) + 1)
    ]
    assert {event.occurred_at for event in change.events} == {change.order.updated_at}
    assert {event.customer_id for event in change.events} == {"C1"}
    assert {event.order_id for event in change.events} == {"O1"}


def test_a_whole_life_is_numbered_from_one_without_a_gap() -> None:
    story = Tale(place(PaymentMethod.CREDIT_CARD)).declined().paid().assigned().assigned("S2").assigned().sent_out()

    story.delivered()

    assert [event.sequence for event in story.events] == list(range(1, len(story.events) + 1))
    assert story.order.version == len(story.events) == 10


def test_an_event_id_is_the_uuid5_of_order_and_sequence() -> None:
    story = tale("delivered S1")

    ids = [event.id for event in story.events]

    assert ids == [str(uuid.uuid5(EVENT_NAMESPACE, f"O1/{number}")) for number in range(1, len(ids) + 1)]
    assert {uuid.UUID(text).version for text in ids} == {5}
    assert len(set(ids)) == len(ids)


def test_event_ids_are_a_constant_of_the_contract() -> None:
    assert event_id("order-123", 1) == "c9474238-b823-5fae-a7e5-c8befed59d22"
    assert event_id("order-123", 2) != event_id("order-1232", 1)
    assert event_id("a/1", 2) != event_id("a", 12)


def test_the_same_commands_twice_yield_equal_events() -> None:
    assert tale("cancelled on the way", "card paid").events == tale("cancelled on the way", "card paid").events


def test_an_event_cannot_be_changed() -> None:
    [event] = place().events

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.order_id = "O2"  # type: ignore[misc]


def test_cancelling_lets_the_shipper_go_but_the_event_still_names_them() -> None:
    order = order_in("on_the_way S1")

    change = order.cancel(REASON, by=ADMIN, **later(order))

    event = change.events[-1]
    assert isinstance(event, OrderCancelled)
    assert (event.shipper_id, event.reason, event.by) == ("S1", REASON, "A1")
    assert (change.order.shipper_id, change.order.estimated_at) == (None, None)


def test_cancelling_an_order_without_a_shipper_names_none() -> None:
    order = order_in("preparing")

    event = order.cancel(REASON, by=CUSTOMER, **later(order)).events[-1]

    assert isinstance(event, OrderCancelled)
    assert event.shipper_id is None


@pytest.mark.parametrize(
    ("after", "minutes"),
    [
        (timedelta(0), 0),
        (timedelta(seconds=59, microseconds=999_999), 0),
        (timedelta(minutes=1), 1),
        (timedelta(minutes=31, seconds=59), 31),
        (timedelta(days=2, minutes=3), 2883),
    ],
)
def test_a_delivery_has_the_whole_minutes_since_creation(after: timedelta, minutes: int) -> None:
    at_once = {"by": ADMIN, "at": AT}
    order = place().order.assign_shipper("S1", **at_once).order.send_out(**at_once).order

    change = order.deliver(by=SHIPPER, at=AT + after)

    event = change.events[-1]
    assert isinstance(event, OrderDelivered)
    assert (event.minutes, event.shipper_id) == (minutes, "S1")
    assert (change.order.delivery_minutes, change.order.delivered_at) == (minutes, AT + after)


def test_a_time_of_any_zone_is_kept_in_utc() -> None:
    order = place(at=datetime(2024, 1, 1, 19, 0, tzinfo=HANOI)).order

    change = order.prepare(by=RESTAURANT, at=datetime(2024, 1, 1, 19, 5, tzinfo=HANOI))

    assert (change.order.created_at, change.order.updated_at) == (AT, AT + timedelta(minutes=5))
    assert change.order.created_at.tzinfo is UTC
    assert change.events[0].occurred_at.tzinfo is UTC


@pytest.mark.parametrize(
    "ask",
    [
        lambda o, at: o.prepare(by=ADMIN, at=at),
        lambda o, at: o.assign_shipper("S1", by=ADMIN, at=at),
        lambda o, at: o.cancel(REASON, by=ADMIN, at=at),
        lambda o, at: o.record_payment(paid=True, by=ADMIN, at=at),
    ],
)
def test_a_time_without_a_zone_is_refused(ask) -> None:  # type: ignore[no-untyped-def]
    order = order_in("waiting")

    with pytest.raises(InvalidInput) as refused:
        ask(order, datetime(2024, 1, 1, 12, 0))  # noqa: DTZ001

    assert refused.value.field == "at"


def test_the_clock_of_a_slower_server_never_takes_an_order_back_in_time() -> None:
    order: Order = order_in("on_the_way S1")

    change = order.deliver(by=SHIPPER, at=order.updated_at - timedelta(hours=9))

    assert {event.occurred_at for event in change.events} == {order.updated_at}
    assert change.order.delivery_minutes == (order.updated_at - AT) // timedelta(minutes=1)
