"""Hypothesis strategies for all events and their records."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st
from orderflow.adapters import wire
from orderflow.application.event_log.records import LogRecord, bucket_of
from orderflow.domain.events import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    PaymentProcessed,
    ShipperAssigned,
    StateChanged,
)
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentMethod, PaymentStatus

identifiers = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
times = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(fold=0))
currencies = st.one_of(st.just(wire.NO_CURRENCY), st.from_regex(r"[A-Z]{3}", fullmatch=True))


def texts(at_most: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=at_most)


@st.composite
def amounts(draw: st.DrawFn, below: int = 10**12) -> Decimal:
    """0 or more, with 0 to 4 decimals, trailing zeros among them."""
    places = draw(st.integers(0, 4))
    return Decimal(draw(st.integers(0, below * 10**places - 1))).scaleb(-places)


@st.composite
def lines(draw: st.DrawFn, currency: str) -> OrderLine:
    price, quantity = draw(amounts(below=1_000_000)), draw(st.integers(1, 999))
    discount = draw(amounts(below=1_000_000).filter(lambda amount: amount <= price * quantity) | st.just(Decimal(0)))
    return OrderLine(
        food_id=draw(identifiers),
        food_name=draw(texts(200)),
        price=Money(price, currency),
        quantity=quantity,
        discount=Money(discount, currency),
    )


@st.composite
def created(draw: st.DrawFn, currency: str) -> dict[str, object]:
    ordered = tuple(draw(st.lists(lines(currency), min_size=1, max_size=4)))
    goods = sum((line.total for line in ordered), start=Money.zero(currency))
    fee = Money(draw(amounts(below=1_000)), currency)
    return {"restaurant_id": draw(identifiers), "lines": ordered, "total": goods + fee}


@st.composite
def events(draw: st.DrawFn) -> OrderEvent:
    said = {
        "order_id": draw(identifiers),
        "customer_id": draw(identifiers | st.just("")),
        "sequence": draw(st.integers(1, 10**9 - 1)),
        "occurred_at": draw(times),
    }
    kinds: dict[type[OrderEvent], dict[str, st.SearchStrategy[object]]] = {
        OrderCreated: {},
        ShipperAssigned: {"shipper_id": identifiers, "by": identifiers},
        StateChanged: {"old": st.sampled_from(OrderState), "new": st.sampled_from(OrderState), "by": identifiers},
        PaymentProcessed: {
            "status": st.sampled_from(PaymentStatus),
            "method": st.sampled_from(PaymentMethod),
            "amount": st.builds(Money, amounts(), currencies),
            "success": st.booleans(),
        },
        OrderCancelled: {"reason": texts(500), "by": identifiers, "shipper_id": st.none() | identifiers},
        OrderDelivered: {"shipper_id": identifiers, "minutes": st.integers(0, 2**31 - 1)},
    }
    kind = draw(st.sampled_from(list(kinds)))
    data = draw(created(draw(currencies))) if kind is OrderCreated else draw(st.fixed_dictionaries(kinds[kind]))
    return kind(**said, **data)


header_texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=100)


@st.composite
def _records(draw: st.DrawFn) -> LogRecord:
    event = draw(events())
    return wire.record(
        event,
        bucket=bucket_of(event.order_id),
        position=draw(st.integers(1, 10**17)),
        correlation_id=draw(header_texts),
        traceparent=draw(header_texts),
    )


records = _records()

AN_HOUR = datetime(2024, 1, 1, 12, tzinfo=UTC)


def cancelled(*, shipper_id: str | None) -> OrderCancelled:
    """Build an event for tests that need any event."""
    return OrderCancelled(
        order_id="order-123",
        customer_id="user-456",
        sequence=4,
        occurred_at=AN_HOUR,
        reason="late",
        by="user-456",
        shipper_id=shipper_id,
    )
