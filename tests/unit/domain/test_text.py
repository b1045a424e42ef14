"""The syntax of identifiers, text, states, methods and actors as callers write them."""

import pytest
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import InvalidInput
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.payment import PaymentMethod
from orderflow.domain.text import counted, identifier, text


@pytest.mark.parametrize("value", ["a", "~", "!", "order-123", "550e8400-e29b-41d4-a716-446655440000", "x" * 64, "a/1"])
def test_an_identifier_is_taken_as_it_is(value: str) -> None:
    assert identifier(value, field="orderId") == value


@pytest.mark.parametrize(
    "value",
    ["", " ", "a b", "a\n", "\ta", "é", "\x7f", "\x00", "a\u200b", "x" * 65, None, 7, b"a"],
    ids=lambda value: repr(value)[:12],
)
def test_anything_else_is_refused_with_the_name_of_the_field(value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        identifier(value, field="restaurantId")

    assert refused.value.field == "restaurantId"
    assert "1 to 64 printable ASCII" in refused.value.allowed


def test_a_refusal_repeats_no_more_than_a_line_of_what_was_sent() -> None:
    with pytest.raises(InvalidInput) as refused:
        identifier("x" * 100_000, field="orderId")

    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("value", ["Pizza Margherita", "Crème brûlée 🍮", "a" * 20])
def test_text_is_taken_as_it_is(value: str) -> None:
    assert text(value, field="foodName", at_least=1, at_most=20) == value


def test_text_that_may_be_missing_may_be_empty() -> None:
    assert text("", field="address/note", at_most=20) == ""


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("a" * 21, "21 characters"),
        ("line\nfeed", "a control character"),
        ("nul\x00", "a control character"),
        ("del\x7f", "a control character"),
        ("nel\x85", "a control character"),
        ("half \ud83c", "a control character"),
        (None, "a NoneType"),
        (5, "a int"),
    ],
)
def test_text_out_of_bounds_says_what_is_wrong(value: object, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        text(value, field="foodName", at_least=1, at_most=20)

    assert (refused.value.field, refused.value.problem) == ("foodName", problem)


@pytest.mark.parametrize(
    ("written", "state"),
    [(str(state), state) for state in OrderState] + [("cancel", OrderState.CANCELLED)],
)
def test_a_state_is_read_by_its_name(written: str, state: OrderState) -> None:
    assert OrderState.parse(written) is state


@pytest.mark.parametrize("written", ["", "Preparing", "canceled", "paid", " preparing", None, 1, []])
def test_what_is_no_state_is_refused_with_those_there_are(written: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        OrderState.parse(written, field="newState")  # type: ignore[arg-type]

    assert refused.value.field == "newState"
    assert all(name in refused.value.allowed for name in [*OrderState, "cancel"])


@pytest.mark.parametrize(
    ("written", "method"),
    [(str(method), method) for method in PaymentMethod] + [("card", PaymentMethod.CREDIT_CARD)],
)
def test_a_payment_method_is_read_by_its_name(written: str, method: PaymentMethod) -> None:
    assert PaymentMethod.parse(written) is method


@pytest.mark.parametrize("written", ["", "Cash", "cheque", None])
def test_what_is_no_payment_method_is_refused_with_those_there_are(written: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        PaymentMethod.parse(written)  # type: ignore[arg-type]

    assert refused.value.field == "paymentMethod"
    assert all(name in refused.value.allowed for name in [*PaymentMethod, "card"])


@pytest.mark.parametrize(
    ("written", "actor"),
    [
        ("customer:C1", Actor(Role.CUSTOMER, "C1")),
        ("restaurant:R7", Actor(Role.RESTAURANT, "R7")),
        ("shipper:a:b", Actor(Role.SHIPPER, "a:b")),
        ("admin:root", Actor(Role.ADMIN, "root")),
    ],
)
def test_an_actor_is_read_as_role_and_id_and_written_the_same(written: str, actor: Actor) -> None:
    assert Actor.parse(written) == actor
    assert str(actor) == written


@pytest.mark.parametrize("written", ["", "customer", "customer:", ":C1", "cook:C1", "Customer:C1", "customer:C 1"])
def test_what_is_no_actor_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Actor.parse(written)

    assert refused.value.field == "actor"


def test_a_number_comes_with_its_noun() -> None:
    assert [counted(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert [counted(number, "copy", "copies") for number in (1, 3)] == ["1 copy", "3 copies"]
