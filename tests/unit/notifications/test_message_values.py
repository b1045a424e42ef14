"""Everything that a caller wrote is data in a message: no controls, no links, and in a subject no header."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from orderflow.adapters.notifications.templates import FileMessageTemplates
from orderflow.application.notifications.message_values import values_of
from orderflow.application.notifications.notification import Parties
from orderflow.application.notifications.readable import quoted
from orderflow.domain.actor import Role
from orderflow.domain.events import OrderCancelled, OrderCreated, OrderLine
from orderflow.domain.money import Money

AT = datetime(2024, 5, 17, tzinfo=UTC)
TEN = Money(Decimal("10.00"), "EUR")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see http://evil.example/a now", "see http[:]//evil[.]example/a now"),
        ("HTTPS://1.2.3.4/x", "HTTPS[:]//1.2.3.4/x"),
        ("foo://evil", "foo[:]//evil"),
        ("www.evil.example", "www[.]evil[.]example"),
        ("a@evil.рф", "a@evil[.]рф"),
        ("evil。example", "evil[。]example"),
        ("evil\u200b.exa\u2060mple", "evil[.]example"),
        ("evil\u200d.example", "evil\u200d[.]example"),
        ("mailto:a@localhost", "mailto[:]a@localhost"),
        ("tel:0900", "tel[:]0900"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("abc\u202egnp.exe", "abcgnp[.]exe"),
        ("\u2066left\u2069 \u061cright\u200f", "left right"),
        ("one\u2028two\u2029three", "one two three"),
        ("bell\x07 tab\tline\r\nBcc: x", "bell tab line Bcc: x"),
        ("lone \ud800 surrogate", "lone surrogate"),
    ],
)
def test_controls_are_stripped_and_links_are_not_made(text: str, shown: str) -> None:
    assert quoted(text) == shown


@pytest.mark.parametrize(
    "text", ["Jalapeño 🌶️ 👩‍🍳", "No.7 Burger, hot", "12.50 EUR", "Dr. Oetker: tasty", "ピザ、大", "بيتزا", "10:30"]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert quoted(text) == text


def test_nothing_that_a_caller_wrote_comes_into_a_message_unquoted() -> None:
    hostile = "http://evil.example"
    parties = Parties(order_id=hostile, customer_id="C1", restaurant_id=hostile, shipper_id=hostile)
    who = {"order_id": hostile, "customer_id": "C1", "occurred_at": AT}
    line = OrderLine(food_id="F1", food_name=f"Soup\u202e {hostile}", price=TEN, quantity=1, discount=Money.zero("EUR"))
    events = [
        OrderCreated(**who, sequence=1, restaurant_id=hostile, total=TEN, lines=(line,)),
        OrderCancelled(**who, sequence=2, reason=f"see {hostile}", by="C1", shipper_id=hostile),
    ]
    render = FileMessageTemplates()

    messages = [render(Role.CUSTOMER, values_of(event, parties), event_type=event.type) for event in events]

    for message in messages:
        assert "http[:]//evil[.]example" in message.subject
        assert "://" not in message.subject + message.text
        assert "\u202e" not in message.text


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("30.5", "EUR", "30.50 EUR"),
        ("3", "EUR", "3.00 EUR"),
        ("1300", "JPY", "1300 JPY"),
        ("1.2500", "EUR", "1.25 EUR"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(amount: str, currency: str, written: str) -> None:
    total = Money(Decimal(amount), currency)
    line = OrderLine(food_id="F1", food_name="Soup", price=total, quantity=1, discount=Money.zero(currency))
    created = OrderCreated(
        order_id="O1", customer_id="C1", occurred_at=AT, sequence=1, restaurant_id="R7", total=total, lines=(line,)
    )

    values = values_of(created, Parties(order_id="O1", customer_id="C1", restaurant_id="R7", shipper_id=None))

    assert (values["total"], values["items"]) == (written, f"  1 x Soup, {written}")
