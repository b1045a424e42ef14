"""The error tree: drawn as it is, each class with a code and data of its own, and whole after a journey."""

import copy
import inspect
import pickle
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from orderflow.domain import errors, refusals
from orderflow.domain.actor import Actor
from orderflow.domain.errors import OrderFlowError
from orderflow.domain.payment import PaymentMethod

from tests.unit.domain.actors import place

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, OrderFlowError)]

ONE_OF_EACH: list[OrderFlowError] = [
    errors.OrderFlowError("something is wrong"),
    errors.InvalidInput("orderDetails/0/price", "-1 EUR", "0 or more"),
    errors.UndecodableEvent("data/newState", "'eaten' is no order state", "preparing"),
    errors.EventTooLarge("O1", "order.created", 951_000, 950_000),
    errors.NotFound("token", "T1"),
    errors.OrderNotFound("O1"),
    errors.CommandRefused(order_id="O1", action="a", state="s", allowed=("t",), guard="g", unlock="u"),
    errors.IllegalTransition(order_id="O1", action="a", state="s", allowed=(), guard="g", unlock="u"),
    errors.NotPermitted(order_id="O1", action="a", state="s", allowed=("t",), guard="g", unlock="u"),
    errors.GuardFailed(order_id="O1", action="a", state="s", allowed=("t",), guard="g", unlock="u"),
    errors.Conflict("two at once"),
    errors.OrderExists("O1", ("lines",)),
    errors.ConcurrentChange("O1", 3),
    errors.VersionMismatch("O1", 3, 4),
    errors.RequestRunning("K1"),
    errors.RequestAnswered("K1"),
    errors.KeyReused("K1"),
    errors.PricesNotPermitted("restaurant:R2", "R1", "change"),
    errors.PricesRefused(
        "R1",
        (
            errors.RefusedLine(line=0, item_id="F1", problem=errors.LineProblem.NOT_LISTED),
            errors.RefusedLine(
                line=2,
                item_id="F2",
                problem=errors.LineProblem.NOT_AVAILABLE,
                name="Pizza",
                price=Decimal("12.50"),
                currency="EUR",
                available=False,
                until=datetime(2024, 1, 1, tzinfo=UTC),
            ),
        ),
    ),
    errors.PriceListChanged("R1", 3, 4),
    errors.OrdersOpen("C1", 2),
    errors.RebuildOvertaken("analytics"),
    errors.CorruptHistory("O1", 4, "it follows number 2"),
    errors.StaleCursor("analytics", 17, 40),
    errors.LogGap("analytics", 17, 40, 43),
    errors.LogBehindTopic(17, 40, 43),
    errors.TopicMismatch("order-events", ("3 partitions, not 6",)),
    errors.NotConfigured("confluent-kafka is not installed", "install orderflow-service[kafka]"),
    errors.ConfirmationNeeded("O1", "secret", "https://bank.example/confirm"),
    errors.TransientFailure("the printer is busy"),
    errors.Unavailable("the bank", "no route to host"),
    errors.StorageBusy(4096),
    errors.StorageUnavailable("postgresql", "no route to host"),
    errors.StreamUnavailable("kafka", "no route to host"),
    errors.GatewayUnavailable("sandbox", "timed out"),
    errors.ChannelUnavailable("smtp", "timed out"),
]


def drawn() -> dict[str, str | None]:
    """Each class of the tree in the module's docstring, with the class that it hangs from."""
    above: list[str] = []
    parents: dict[str, str | None] = {}
    for row in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        found = re.match(r"    ((?:│   |    )*(?:[├└]── )?)([A-Z]\w+)(?:\s\s|$)", row)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            parents[found[2]] = above[depth - 1] if depth else None
    return parents


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    actual = {kind.__name__: kind.__base__.__name__ if kind is not OrderFlowError else None for kind in CLASSES}

    assert drawn() == actual


def test_one_error_of_each_class_is_tried_here() -> None:
    assert {type(error) for error in ONE_OF_EACH} == set(CLASSES)


def test_every_class_has_a_code_of_its_own() -> None:
    codes = [kind.__dict__["code"] for kind in CLASSES]

    assert len(set(codes)) == len(codes)


def test_the_codes_are_stable() -> None:
    assert sorted(kind.code for kind in CLASSES) == [
        "channel_unavailable",
        "command_refused",
        "concurrent_change",
        "confirmation_needed",
        "conflict",
        "corrupt_history",
        "error",
        "event_too_large",
        "gateway_unavailable",
        "guard_failed",
        "illegal_transition",
        "invalid_input",
        "key_reused",
        "log_behind_topic",
        "log_gap",
        "not_configured",
        "not_found",
        "not_permitted",
        "order_exists",
        "order_not_found",
        "orders_open",
        "prices_changed",
        "prices_not_permitted",
        "prices_refused",
        "rebuild_overtaken",
        "request_answered",
        "request_running",
        "stale_cursor",
        "storage_busy",
        "storage_unavailable",
        "stream_unavailable",
        "topic_mismatch",
        "transient_failure",
        "unavailable",
        "undecodable_event",
        "version_mismatch",
    ]


def test_an_error_says_all_that_it_knows_in_a_sentence() -> None:
    for error in ONE_OF_EACH:
        known = error.context().values()
        parts = [part for value in known for part in (value if isinstance(value, tuple) else (value,))]
        assert str(error)
        assert all(str(part) in str(error) for part in parts), error


def test_the_context_is_the_data_by_name() -> None:
    for error in ONE_OF_EACH:
        context = error.context()
        assert all(getattr(error, name) == value for name, value in context.items()), error
        secret = 2 if isinstance(error, errors.ConfirmationNeeded) else 0
        assert tuple(context.values()) == error.args[: len(error.args) - secret] or not context, error


def test_an_error_survives_pickling_and_copying() -> None:
    for error in ONE_OF_EACH:
        error.add_note("on the third attempt")
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert type(again) is type(error)
            assert again.context() == error.context()
            assert (str(again), again.args, again.__notes__) == (str(error), error.args, error.__notes__)


def test_a_refusal_in_a_final_state_says_that_it_is_final() -> None:
    error = errors.IllegalTransition(order_id="O1", action="a", state="delivered", allowed=(), guard="g", unlock="u")

    assert str(error).endswith("next states from delivered: none, the state is final")


def test_a_refusal_of_a_new_order_names_no_state_that_it_never_had() -> None:
    refused = refusals.may_not_place(place(PaymentMethod.CASH, id="O1").order, Actor.parse("customer:C9"))

    assert str(refused) == (
        "order 'O1' is not created: customer:C9 may not order for customer 'C1' at restaurant 'R1'; "
        "the customer themselves or an admin may"
    )


@pytest.mark.parametrize("name", ["status", "status_code", "http_status", "exit_code"])
def test_no_error_knows_a_door(name: str) -> None:
    assert not any(hasattr(kind, name) for kind in CLASSES)
